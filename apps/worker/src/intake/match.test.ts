import { TARGET_DEFAULTS, type Target } from "@sluice/store/configuration/targets";
import { expect, test } from "vitest";

import { makeQueuedEvent } from "../../../../tests/support/seed.ts";
import { type Matched, type MatchedPart, matchInParts, readEvents } from "./match.ts";

const countDeliveries = ({ matches }: Matched) => matches.reduce((sum, { deliveries }) => sum + deliveries.length, 0);

/** Events of which each goes to so many targets, except those of the type `quiet`, which go to none. */
function match(types: string[], count: number) {
  const read = readEvents(
    types.map((type) => makeQueuedEvent({ body: Buffer.from(`{"type":"${type}"}`).toString("base64") })),
  );
  if (read.kind === "at_fault") throw new Error("An event is at fault");
  const value = new Map(
    Array.from({ length: count }, (_, index): [string, Target] => [
      `target-${index}`,
      {
        ...TARGET_DEFAULTS,
        id: `target-${index}`,
        name: "",
        uri: "http://x/",
        subscribedEvents: ["loud"],
        hmacKeys: [],
      },
    ]),
  );
  const targets = { current: { revision: 7, value } };
  return { incoming: read.incoming, targets };
}

function partsOf(types: string[], count: number, enough: number): MatchedPart[] {
  const { incoming, targets } = match(types, count);
  return [...matchInParts(incoming, targets, enough)].map((part) => {
    if (part.kind === "at_fault") throw new Error("An event is at fault");
    return part;
  });
}

/** The numbers of events and deliveries of each part. */
const sizes = (enough: number) =>
  partsOf(["loud", "quiet", "loud", "loud", "quiet"], 10, enough).map(({ matched }) => [
    matched.matches.length,
    countDeliveries(matched),
  ]);

test("a part takes no further event once it has enough deliveries, and an event is never divided", () => {
  expect(sizes(1_000)).toEqual([[5, 30]]);
  expect(sizes(20)).toEqual([
    [3, 20],
    [2, 10],
  ]);
  expect(sizes(5)).toEqual([
    [1, 10],
    [2, 10],
    [1, 10],
    [1, 0],
  ]);
});

test("each part has the events of its deliveries, and all parts have each event once", () => {
  const parts = partsOf(["quiet", "loud", "loud", "quiet", "loud"], 3, 3);
  for (const { incoming, matched } of parts) {
    expect(incoming.map(({ event }) => event.id)).toEqual(matched.matches.map(({ event }) => event.id));
    for (const { event, deliveries } of matched.matches) {
      for (const { eventId } of deliveries) expect(eventId).toBe(event.id);
    }
    expect(matched.targets.revision).toBe(7);
  }
  const ids = parts.flatMap(({ matched }) => matched.matches.map(({ event }) => event.id));
  expect(new Set(ids).size).toBe(5);
  expect(parts.map(({ matched }) => countDeliveries(matched))).toEqual([3, 3, 3]);
});

test("a part is matched when it is asked for, with the targets as they are then", () => {
  const { incoming, targets } = match(["loud", "loud"], 2);
  const parts = matchInParts(incoming, targets, 1);
  const next = () => {
    const { value } = parts.next();
    return value?.kind === "part" ? [value.matched.targets.revision, countDeliveries(value.matched)] : value;
  };
  expect(next()).toEqual([7, 2]);
  targets.current = { revision: 8, value: new Map() };
  expect(next()).toEqual([8, 0]);
  expect(next()).toBeUndefined();
});
