import { expect, test } from "vitest";

import { Backlog } from "./backlog.ts";

/** What a lane reads of its backlog. */
const read = ({ mayHaveDue, isClaiming, knownCount }: Backlog) => ({ mayHaveDue, isClaiming, knownCount });

test("a claim that finds everything leaves nothing due", () => {
  const backlog = new Backlog();
  expect(read(backlog)).toEqual({ mayHaveDue: false, isClaiming: false, knownCount: 0 });
  backlog.noteDue(3);
  expect(read(backlog)).toEqual({ mayHaveDue: true, isClaiming: false, knownCount: 3 });
  backlog.beginClaim();
  expect(read(backlog)).toEqual({ mayHaveDue: false, isClaiming: true, knownCount: 3 });
  backlog.endClaim({ count: 3, isFull: false });
  expect(read(backlog)).toEqual({ mayHaveDue: false, isClaiming: false, knownCount: 0 });
});

test("a claim that stopped at its limit leaves the rest of what was known, or an unknown rest", () => {
  const known = new Backlog();
  known.noteDue(10);
  known.beginClaim();
  known.endClaim({ count: 4, isFull: true });
  expect(read(known)).toEqual({ mayHaveDue: true, isClaiming: false, knownCount: 6 });
  const unknown = new Backlog();
  unknown.noteDue(0);
  unknown.beginClaim();
  unknown.endClaim({ count: 4, isFull: true });
  expect(unknown.knownCount).toBe(Number.POSITIVE_INFINITY);
});

test("what becomes due while a claim runs is claimed after it", () => {
  const backlog = new Backlog();
  backlog.noteDue(1);
  backlog.beginClaim();
  backlog.noteDue(2);
  expect(read(backlog)).toEqual({ mayHaveDue: true, isClaiming: true, knownCount: 3 });
  backlog.endClaim({ count: 1, isFull: false });
  expect(read(backlog)).toEqual({ mayHaveDue: true, isClaiming: false, knownCount: 2 });
});

test("after a claim that failed nothing is claimed until the lane is woken", () => {
  const backlog = new Backlog();
  backlog.noteDue(2);
  backlog.beginClaim();
  backlog.failClaim();
  expect(read(backlog)).toEqual({ mayHaveDue: false, isClaiming: false, knownCount: 2 });
  backlog.noteDue(0);
  expect(read(backlog)).toEqual({ mayHaveDue: true, isClaiming: false, knownCount: 2 });
});

test("transitions that cannot happen are refused", () => {
  const backlog = new Backlog();
  expect(() => backlog.beginClaim()).toThrow("none");
  expect(() => backlog.endClaim({ count: 0, isFull: false })).toThrow("No claim runs");
  expect(() => backlog.failClaim()).toThrow("No claim runs");
  backlog.noteDue(1);
  backlog.beginClaim();
  expect(() => backlog.beginClaim()).toThrow("claiming");
});
