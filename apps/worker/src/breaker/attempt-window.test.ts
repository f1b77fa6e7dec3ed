import { expect, test } from "vitest";

import { AttemptWindow, type EndedAttempt } from "./attempt-window.ts";

/** An attempt of no duration at a target that takes 64 requests at once. */
const attempt = (isFailure: boolean, atMs: number, changes: Partial<EndedAttempt> = {}): EndedAttempt => ({
  isFailure,
  startedAtMs: atMs,
  nowMs: atMs,
  askedMs: 0,
  maxInFlight: 64,
  ...changes,
});

/**
 * Adds attempts of no duration, one each `everyMs` from 0. @returns the number of the first that opens it; 0 for none.
 */
function firstThatOpens(window: AttemptWindow, outcomes: string, everyMs = 100, fromMs = 0): number {
  for (const [index, outcome] of outcomes.split("").entries()) {
    const atMs = fromMs + index * everyMs;
    if (window.add(attempt(outcome === "x", atMs))) return index + 1;
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
  expect(firstThatOpens(new AttemptWindow(), outcomes)).toBe(at);
});

test("attempts that ended more than 30 seconds ago do not count", () => {
  const window = new AttemptWindow();
  expect(firstThatOpens(window, ".xxxxx.", 100)).toBe(0);
  expect(firstThatOpens(window, "xxx", 100, 40_000)).toBe(0);
});

test("ten failures in a row open it at any pace, and a success begins the count anew", () => {
  expect(firstThatOpens(new AttemptWindow(), "xxxxxxxxxxxx", 60_000)).toBe(10);
  expect(firstThatOpens(new AttemptWindow(), "xxxxxxxxx.xxxxxxxxx", 60_000)).toBe(0);
});

test("after a reset the count begins anew, and attempts that began before it are ignored", () => {
  const window = new AttemptWindow();
  expect(firstThatOpens(window, "xxxxxxxxx")).toBe(0);
  window.reset(10_000);
  for (let i = 0; i < 100; i++) expect(window.add(attempt(true, 11_000, { startedAtMs: 9_999 }))).toBe(false);
  expect(firstThatOpens(window, "xxxxxxxxx", 100, 11_000)).toBe(0);
  expect(window.add(attempt(true, 12_000))).toBe(true);
});

test("after a reset the target gets two requests at once, one more with each success, and all of them in the end", () => {
  const window = new AttemptWindow();
  expect(window.limit(64)).toBe(64);
  window.reset(0);
  expect([window.limit(64), window.limit(1)]).toEqual([2, 1]);
  const slow = new AttemptWindow();
  slow.reset(0);
  slow.add(attempt(false, 1));
  slow.add(attempt(true, 1));
  slow.add(attempt(false, 1));
  expect(slow.limit(64)).toBe(4);
  for (let i = 0; i < 60; i++) slow.add(attempt(false, 1));
  expect(slow.limit(64)).toBe(64);
  // The ramp is over: a larger limit holds at once.
  expect(slow.limit(1_000)).toBe(1_000);
});

test("the longest Retry-After that is not over counts", () => {
  const window = new AttemptWindow();
  window.add(attempt(true, 0, { askedMs: 20_000 }));
  window.add(attempt(true, 1_000, { askedMs: 5_000 }));
  expect([window.askedMs(1_000), window.askedMs(30_000)]).toEqual([19_000, 0]);
});
