// The live list of `sluice listen` as a picture: what keys do, and that nothing from outside can draw on the terminal.

import { expect, test } from "vitest";

import { drawLive, type LiveKey, type LiveRow, type LiveState, newLiveState, withKey, withRow } from "./live-list.ts";

const [WIDTH, HEIGHT] = [80, 10];
const row = (n: number, changes: Partial<LiveRow> = {}): LiveRow => ({
  deliveryId: `dlv_${n}`,
  eventId: `evt_${n}`,
  type: "batch.succeeded",
  attempt: 1,
  time: "12:00:00",
  state: "succeeded",
  result: "200  12 ms",
  body: Buffer.from(`{"n":${n},"data":{"id":"batch_1"}}`).toString("base64"),
  ...changes,
});
const listOf = (count: number): LiveState =>
  Array.from({ length: count }, (_, index) => row(index)).reduce(withRow, newLiveState("sluice listen"));
const press = (state: LiveState, ...keys: LiveKey[]) =>
  keys.reduce((now, key) => withKey(now, key, { width: WIDTH, height: HEIGHT }), state);
const draw = (state: LiveState, width = WIDTH) => drawLive(state, width, HEIGHT).map(({ text }) => text);
const selected = (state: LiveState) => drawLive(state, WIDTH, HEIGHT).find(({ style }) => style === "selected")?.text;

test("the picture has the size of the terminal, whatever it holds", () => {
  for (const state of [newLiveState("x".repeat(500)), listOf(3), listOf(600), press(listOf(3), "enter")]) {
    for (const width of [20, 80, 200]) {
      const lines = draw(state, width);
      expect(lines).toHaveLength(HEIGHT);
      expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(width);
    }
  }
});

test("the selection follows the newest until a key moves it, and then stays where it is", () => {
  expect(selected(listOf(3))).toContain("evt_2");
  const moved = press(listOf(3), "up");
  expect(selected(moved)).toContain("evt_1");
  expect(selected(withRow(moved, row(3)))).toContain("evt_1");
  expect(selected(withRow(press(moved, "down"), row(3)))).toContain("evt_3");
  expect(selected(press(listOf(600), "home"))).toContain("evt_100");
  expect(selected(press(listOf(600), "home", "end"))).toContain("evt_599");
  expect(selected(press(listOf(3), "pageUp", "up"))).toContain("evt_0");
});

test("a row of the same delivery takes its place", () => {
  const state = withRow(listOf(3), row(1, { attempt: 2, result: "500  3 ms", state: "failed" }));
  expect(draw(state).filter((line) => line.includes("evt_1"))).toEqual([expect.stringContaining("500  3 ms #2")]);
  expect(draw(state).findIndex((line) => line.includes("evt_1"))).toBeLessThan(
    draw(state).findIndex((line) => line.includes("evt_2")),
  );
});

test("a body can be read to its end, and stays in sight while others come", () => {
  const long = Buffer.from(Array.from({ length: 50 }, (_, index) => `line ${index}`).join("\n")).toString("base64");
  const open = press(withRow(listOf(2), row(9, { body: long })), "enter");
  expect(draw(open).join("\n")).toContain("line 0");
  expect(draw(withRow(open, row(10))).join("\n")).toContain("line 0");
  expect(draw(press(open, "end")).join("\n")).toContain("line 49");
  expect(draw(press(open, "end", "home", "down")).join("\n")).not.toContain("line 0\n");
  expect(draw(press(open, "escape")).join("\n")).toContain("evt_1");
  expect(draw(press(listOf(1), "enter")).join("\n")).toContain('  "data": {');
  // A line that is longer than the terminal is wide has all of its text on several.
  const uri = `https://generativelanguage.googleapis.com/${"a".repeat(200)}:end`;
  const wide = press(
    withRow(listOf(0), row(1, { body: Buffer.from(JSON.stringify({ uri })).toString("base64") })),
    "enter",
  );
  expect(draw(wide).join("")).toContain(uri);
  // Formatted, this number would be another one.
  const exact = Buffer.from('{"n":9007199254740993}').toString("base64");
  expect(draw(press(withRow(listOf(0), row(1, { body: exact })), "enter")).join("\n")).toContain("9007199254740993");
});

test("control characters of an event reach no terminal", () => {
  const evil = "\u001B[2J\u001B]0;title\u0007\r\n\u202Ebatch\u0000";
  const state = withRow(
    newLiveState(evil),
    row(1, { type: evil, result: evil, body: Buffer.from(evil).toString("base64") }),
  );
  for (const shown of [state, press(state, "enter")])
    for (const line of draw(shown)) expect(line).not.toMatch(/[\p{Cc}\p{Cf}]/u);
});

test("keys on an empty list do nothing", () => {
  const keys: LiveKey[] = ["up", "down", "pageUp", "pageDown", "home", "end", "enter", "escape"];
  for (const key of keys) expect(draw(press(listOf(0), key)).join("\n")).toContain("Waiting for events");
});
