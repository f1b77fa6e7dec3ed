import { expect, test } from "vitest";

import { BreakerWindow, openForMs } from "./breaker.ts";

const settings = { retryBaseSeconds: 5, retryCapSeconds: 3_600 };

/** Adds attempts of no duration, one each `everyMs` from 0. @returns the number of the first that opens it; 0 for none. */
function firstThatOpens(window: BreakerWindow, outcomes: string, everyMs = 100, fromMs = 0): number {
  for (const [index, outcome] of outcomes.split("").entries()) {
    const atMs = fromMs + index * everyMs;
    if (window.add(outcome === "x", atMs, atMs)) return index + 1;
  }
  return 0;
}

test.for([
  ["xxxxxxxxx", 0],
  ["xxxxxxxxxx", 10],
  ["xxxxx.....", 0],
  [".....xxxxx", 10],
  ["......xxxx", 0],
  [".x.x.x.x.x", 10],
  ["x.x.x.x.x.", 0],
  ["x.x.x.x.x.x", 11],
  ["..x..x..x..x..x..x..x..x..x..x", 0],
] as const)("%s opens it at %i: half of ten attempts or more, and only by a failure", ([outcomes, at]) => {
  expect(firstThatOpens(new BreakerWindow(), outcomes)).toBe(at);
});

test("attempts that ended more than 30 seconds ago do not count", () => {
  const window = new BreakerWindow();
  expect(firstThatOpens(window, ".xxxxx.", 100)).toBe(0);
  expect(firstThatOpens(window, "xxx", 100, 40_000)).toBe(0);
});

test("ten failures in a row open it however slowly they come, and a success begins them anew", () => {
  expect(firstThatOpens(new BreakerWindow(), "xxxxxxxxxxxx", 60_000)).toBe(10);
  expect(firstThatOpens(new BreakerWindow(), "xxxxxxxxx.xxxxxxxxx", 60_000)).toBe(0);
});

test("after a reset it begins anew, and attempts that began before do not count", () => {
  const window = new BreakerWindow();
  expect(firstThatOpens(window, "xxxxxxxxx")).toBe(0);
  window.reset(10_000);
  for (let i = 0; i < 100; i++) expect(window.add(true, 9_999, 11_000)).toBe(false);
  expect(firstThatOpens(window, "xxxxxxxxx", 100, 11_000)).toBe(0);
  expect(window.add(true, 12_000, 12_000)).toBe(true);
});

test("after a reset two requests at once, one more with each success, and all of them in the end", () => {
  const window = new BreakerWindow();
  expect(window.limit(64)).toBe(64);
  window.reset(0);
  expect([window.limit(64), window.limit(1)]).toEqual([2, 1]);
  const slow = new BreakerWindow();
  slow.reset(0);
  slow.add(false, 1, 1);
  slow.add(true, 1, 1);
  slow.add(false, 1, 1);
  expect(slow.limit(64)).toBe(4);
  for (let i = 0; i < 60; i++) slow.add(false, 1, 1);
  expect(slow.limit(64)).toBe(64);
  // It is over the ramp: a larger limit is its own.
  expect(slow.limit(1_000)).toBe(1_000);
});

test.for([
  [1, 2_500, 5_000],
  [2, 5_000, 10_000],
  [4, 20_000, 40_000],
  [5, 30_000, 60_000],
  [1_000_000, 30_000, 60_000],
])("the %ith opening in a row is from %i to %i ms", ([openings = 0, from, to]) => {
  expect(openForMs(openings, settings, 0, 0)).toBe(from);
  expect(openForMs(openings, settings, 0, 0.999999999)).toBe(to);
});

test("the target's own cap holds where it is shorter", () => {
  expect(openForMs(9, { retryBaseSeconds: 0.1, retryCapSeconds: 0.2 }, 0, 0.999999999)).toBe(200);
});

test("Retry-After is the least time, up to five minutes", () => {
  expect(openForMs(1, settings, 90_000, 0)).toBe(90_000);
  expect(openForMs(1, settings, 1_000, 0)).toBe(2_500);
  expect(openForMs(1, settings, 86_400_000, 0)).toBe(300_000);
});

test("what the target asked for is the longest of what is not over", () => {
  const window = new BreakerWindow();
  window.add(true, 0, 0, 20_000);
  window.add(true, 1_000, 1_000, 5_000);
  expect([window.askedMs(1_000), window.askedMs(30_000)]).toEqual([19_000, 0]);
});
