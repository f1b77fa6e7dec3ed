// The limit on tries with keys that are not valid, and the network that each address counts for.

import { describe, expect, test } from "vitest";

import { FailedTries } from "./failed-tries.ts";

describe("FailedTries", () => {
  test("allows ten tries at once, then one every six seconds, and returns how long to wait", () => {
    const tries = new FailedTries();
    for (let count = 0; count < 10; count++) expect(tries.add("192.0.2.1", 0)).toBe(0);
    expect(tries.add("192.0.2.1", 0)).toBe(6);
    expect(tries.add("192.0.2.1", 5_000)).toBe(1);
    expect(tries.add("192.0.2.1", 6_000)).toBe(0);
    expect(tries.add("192.0.2.1", 6_000)).toBe(6);
    for (let count = 0; count < 10; count++) expect(tries.add("192.0.2.1", 100_000)).toBe(0);
  });

  test("forgets the network that tried longest ago when there are more than 10,000", () => {
    const tries = new FailedTries();
    for (let count = 0; count < 10; count++) tries.add("first", 0);
    for (let count = 0; count < 9_999; count++) tries.add(`other-${count}`, 0);
    expect(tries.add("first", 0)).toBe(6);
    for (let count = 0; count < 10_000; count++) tries.add(`another-${count}`, 0);
    expect(tries.add("first", 0)).toBe(0);
  });
});
