// What the live list shows, keeps and counts.

import { expect, test } from "vitest";

import { LiveList, type LiveView, MOST_ROWS } from "./live-list.ts";
import type { TailRow } from "./tail-row.ts";

const row = (number: number, type = "batch.succeeded") => ({ key: String(number), kind: "event", type }) as TailRow;

function open() {
  let view: LiveView = { rows: [], held: 0 };
  let renewals = 0;
  let renew: (() => void) | undefined;
  const list = new LiveList(
    (next) => {
      view = next;
      renewals++;
    },
    (callback) => {
      renew = callback;
    },
  );
  return {
    list,
    draw: () => renew?.(),
    keys: () => view.rows.map(({ key }) => key),
    held: () => view.held,
    count: () => renewals,
  };
}

test("many batches are shown by one renewal, newest first", () => {
  const { list, draw, keys, count } = open();
  for (let number = 1; number <= 3; number++) list.add([row(number)]);
  expect(count()).toBe(0);
  draw();
  expect([keys(), count()]).toEqual([["3", "2", "1"], 1]);
});

test("a held list does not move, and counts what comes", () => {
  const { list, draw, keys, held } = open();
  list.add([row(1)]);
  draw();
  list.hold(true);
  list.add([row(2), row(3)]);
  draw();
  expect([keys(), held()]).toEqual([["1"], 2]);
  list.hold(false);
  draw();
  expect([keys(), held()]).toEqual([["3", "2", "1"], 0]);
});

test("it shows a bounded number of rows, however many come", () => {
  const { list, draw, keys } = open();
  for (let number = 0; number < 5_000; number++) list.add([row(number)]);
  draw();
  expect(keys()).toHaveLength(MOST_ROWS);
  expect(keys()[0]).toBe("4999");
});

test("a new filter also selects from what came before it", () => {
  const { list, draw, keys } = open();
  list.add([row(1, "video.generated"), row(2)]);
  draw();
  list.filter({ event_type: "video.*" });
  expect(keys()).toEqual(["1"]);
  list.add([row(3), row(4, "video.generated")]);
  draw();
  expect(keys()).toEqual(["4", "1"]);
});
