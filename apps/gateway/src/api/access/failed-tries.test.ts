// The limit on tries with keys that are not valid, and the network that each address counts for.

import { describe, expect, test } from "vitest";

import { FailedTries, networkOf } from "./failed-tries.ts";

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

test("networkOf returns the /64 of an IPv6 address in any notation", () => {
  expect(networkOf("192.0.2.1")).toBe("192.0.2.1");
  expect(networkOf("::ffff:192.0.2.1")).toBe("192.0.2.1");
  expect(networkOf("2001:db8:1:2:3:4:5:6")).toBe("2001:db8:1:2::/64");
  expect(networkOf("2001:0DB8:1:2::9")).toBe("2001:db8:1:2::/64");
  expect(networkOf("2001:db8::1")).toBe("2001:db8:0:0::/64");
  expect(networkOf("::1")).toBe("0:0:0:0::/64");
  expect(networkOf("fe80::1%eth0")).toBe("fe80:0:0:0::/64");
  expect(networkOf("2001:db8:1:3::9")).not.toBe(networkOf("2001:db8:1:2::9"));
});
