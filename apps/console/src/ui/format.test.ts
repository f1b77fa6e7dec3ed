// Numbers and times as people read them.

import { describe, expect, test } from "vitest";

import { formatAgo, formatBytes, formatDuration, formatMs, formatTime, plural } from "./format.ts";

const NOON_MS = Date.parse("2026-11-30T12:00:00Z");

test("a duration has its two largest units, and no zero", () => {
  expect([0, 999, 61_000, 3_600_000, 90_061_000].map(formatDuration)).toEqual([
    "0 s",
    "1 s",
    "1 min 1 s",
    "1 h",
    "1 d 1 h",
  ]);
});

test("a short duration is in milliseconds", () => {
  expect([0.2, 12.4, 1_234, 61_000].map(formatMs)).toEqual(["< 1 ms", "12 ms", "1.23 s", "1 min 1 s"]);
});

test("a size has a unit of 1024", () => {
  expect([0, 1023, 1024, 1_048_576, 52_428_800].map(formatBytes)).toEqual([
    "0 B",
    "1023 B",
    "1.0 KiB",
    "1.0 MiB",
    "50 MiB",
  ]);
});

test("a number of things has their plural", () => {
  expect([plural(1, "attempt"), plural(1234, "delivery", "deliveries")]).toEqual(["1 attempt", "1,234 deliveries"]);
});

describe("a moment", () => {
  test.for([
    [-1_000, "now"],
    [-200_000, "3 min ago"],
    [20_000, "in 20 s"],
    [-90_000_000, "1 d ago"],
  ] as const)("%s ms from now is %s", ([ms, text]) => {
    expect(formatAgo(NOON_MS + ms, NOON_MS)).toBe(text);
  });

  test("has its year when that is another one", () => {
    expect(formatTime("2026-11-30T09:05:07Z", "utc", NOON_MS)).toBe("30 Nov 09:05:07");
    expect(formatTime("2025-11-30T09:05:07Z", "utc", NOON_MS)).toBe("30 Nov 2025 09:05:07");
  });

  test("that is no time stays as it is", () => {
    expect(formatTime("soon", "utc", NOON_MS)).toBe("soon");
  });
});
