import { expect, test } from "vitest";

import { backoffMs, readRetryAfter } from "./backoff.ts";

const settings = { baseSeconds: 5, capSeconds: 3600 };

test.for([
  [1, 5_000, 10_000],
  [2, 5_000, 20_000],
  [3, 5_000, 40_000],
  [9, 5_000, 2_560_000],
  [10, 5_000, 3_600_000],
  [1_000_000, 5_000, 3_600_000],
])("after %i failures the pause is spread from the base to the doubled ceiling", ([failures, from, to]) => {
  expect(backoffMs(failures ?? 0, settings, 0)).toBe(from);
  expect(backoffMs(failures ?? 0, settings, 0.999999999)).toBe(to);
});

test("when the base is above the cap, the next attempt waits for the cap", () => {
  expect(backoffMs(1, { baseSeconds: 10, capSeconds: 2 }, 0)).toBe(2_000);
});

test("at the default settings, 24 hours of failures make some dozens of attempts", () => {
  let elapsed = 0;
  let attempts = 1;
  while (elapsed < 86_400_000) {
    elapsed += backoffMs(attempts, settings, 0.5);
    attempts += 1;
  }
  expect(attempts).toBeGreaterThan(30);
  expect(attempts).toBeLessThan(80);
});

const now = Date.parse("2026-01-22T12:00:00Z");

test.for([
  ["0", 0],
  ["120", 120_000],
  [" 7 ", 7_000],
  ["Thu, 22 Jan 2026 12:01:30 GMT", 90_000],
  ["Thu, 22 Jan 2026 11:00:00 GMT", 0],
  ["Thu, 22 Jan 2026 12:00:60 GMT", 60_000],
] as const)("Retry-After %j is %i ms", ([value, ms]) => {
  expect(readRetryAfter(value, now)).toBe(ms);
});

test.for([
  undefined,
  "",
  "soon",
  "-1",
  "1.5",
  "1e3",
  "2026-01-22T12:01:30Z",
  "Thu, nonsense",
  "Thu, 22 Jan 2026 12:01:30",
  "Thu, 22 Jan 2026 12:01:30 PST",
  "Tue, 31 Feb 2026 12:00:00 GMT",
  "Thu, 22 Jan 2026 24:00:00 GMT",
  "Thursday",
  "99999999999",
  "Invalid Date",
  // The weekday of another date.
  "Mon, 22 Jan 2026 12:01:30 GMT",
  // The obsolete forms of an HTTP date (RFC 9110, 5.6.7).
  "Thursday, 22-Jan-26 12:01:30 GMT",
  "Saturday, 22-Jan-77 12:00:00 GMT",
  "Thu Jan 22 12:01:30 2026",
  "Thu Jan  1 00:00:00 2026",
])("Retry-After %j is ignored", (value) => {
  expect(readRetryAfter(value, now)).toBeUndefined();
});
