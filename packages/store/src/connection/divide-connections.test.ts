import { expect, test } from "vitest";

import { divideConnections } from "./divide-connections.ts";

const PARTS = { work: { min: 2, share: 10 }, producer: { min: 1, share: 3 }, consumers: { min: 3, share: 5 } };

test("every connection is given to a pool, and no pool has fewer than it needs", () => {
  for (let total = 6; total < 200; total++) {
    const pools = divideConnections(total, PARTS);
    expect(pools.work + pools.producer + pools.consumers).toBe(total);
    expect(pools.work).toBeGreaterThanOrEqual(2);
    expect(pools.producer).toBeGreaterThanOrEqual(1);
    expect(pools.consumers).toBeGreaterThanOrEqual(3);
  }
});

test("what is above the minimums is divided by the shares", () => {
  expect(divideConnections(24, PARTS)).toEqual({ work: 12, producer: 4, consumers: 8 });
  expect(divideConnections(6, PARTS)).toEqual({ work: 2, producer: 1, consumers: 3 });
});

test("fewer connections than the pools need are refused", () => {
  expect(() => divideConnections(5, PARTS)).toThrow(RangeError);
});
