import { expect, test } from "vitest";

import { HealthTally } from "./health-tally.ts";

const MINUTE = 60_000;

test("a healthy target is written once a minute, however many attempts it gets", () => {
  const tally = new HealthTally();
  let writes = 0;
  for (let now = 0; now < 10 * MINUTE; now += 100) {
    tally.add(true, now);
    if (!tally.isDue(now, false)) continue;
    writes += 1;
    tally.written(now);
  }
  expect(writes).toBe(10);
});

test("a target that gets nothing is not written", () => {
  const tally = new HealthTally();
  expect(tally.isDue(0, false)).toBe(false);
  tally.add(true, 0);
  tally.written(1);
  expect(tally.isDue(10 * MINUTE, true)).toBe(false);
});

test("the first failure and the first success after it are written at once", () => {
  const tally = new HealthTally();
  tally.add(true, 0);
  tally.written(0);
  tally.add(false, 10);
  tally.add(false, 20);
  expect(tally.isDue(30, false)).toBe(true);
  expect(tally.read("target", 30)).toEqual({
    targetId: "target",
    lastSuccessMs: undefined,
    lastFailureMs: 10,
    failingForMs: 20,
  });
  tally.written(30);
  tally.add(false, 40);
  expect(tally.isDue(50, true)).toBe(false);
  tally.add(true, 60);
  expect(tally.isDue(70, true)).toBe(true);
  expect(tally.read("target", 70)).toMatchObject({ lastSuccessMs: 10, failingForMs: undefined });
});

test("what came during a write is kept for the next one", () => {
  const tally = new HealthTally();
  tally.add(false, 10);
  tally.add(true, 20);
  tally.add(false, 30);
  tally.written(20);
  expect(tally.read("target", 40)).toMatchObject({ lastSuccessMs: undefined, lastFailureMs: 10, failingForMs: 10 });
});

test("older failures are not written after other workers find the target well", () => {
  const tally = new HealthTally();
  tally.add(false, 0);
  tally.written(0);
  tally.add(false, 10);
  expect(tally.isDue(20, false)).toBe(true);
  tally.forgetFailures();
  expect(tally.isDue(20, false)).toBe(false);
});
