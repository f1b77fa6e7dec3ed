// A rate limit holds for every stretch of its time, within a tenth, and is reached although timers come late.

import { expect, test } from "vitest";

import { RatePacer, roomFor } from "./rate-pacer.ts";

/** Sends as soon as the pacer lets it. @returns when each request was sent. */
function sendFor(rate: { requests: number; perMs: number }, totalMs: number, lateMs: number): number[] {
  const pacer = new RatePacer();
  const sentAt: number[] = [];
  for (let nowMs = 0; nowMs < totalMs;) {
    const waitMs = pacer.waitMs(rate, nowMs);
    if (waitMs > 0) nowMs += Math.ceil(waitMs) + lateMs;
    else {
      pacer.take(rate, nowMs);
      sentAt.push(nowMs);
    }
  }
  return sentAt;
}

test.for([
  [1, 1_000, 0],
  [10, 1_000, 15],
  [100, 60_000, 15],
  [1_000, 1_000, 15],
  [3, 10_000, 15],
] as const)("%i in %i ms, with timers that are %i ms late", ([requests, perMs, lateMs]) => {
  const sentAt = sendFor({ requests, perMs }, perMs * 20, lateMs);
  expect(sentAt.length).toBeGreaterThanOrEqual(Math.floor(requests * 20 * 0.95));
  for (const from of sentAt) {
    // The time is a tenth shorter, so that one request more at its edge counts as within a tenth.
    const count = sentAt.filter((at) => at >= from && at < from + perMs * 0.9).length;
    expect(count).toBeLessThanOrEqual(requests);
  }
});

test("sends nothing for as long as another worker may have sent", () => {
  const pacer = new RatePacer();
  const rate = { requests: 1, perMs: 60_000 };
  expect(pacer.waitMs(rate, 0)).toBe(0);
  pacer.noteOther(10_000);
  expect(pacer.waitMs(rate, 10_000)).toBe(59_900);
  // A limit that was raised counts at once.
  expect(pacer.waitMs({ requests: 60, perMs: 60_000 }, 10_000)).toBe(900);
});

test("holds what is sent within a second, and at least one", () => {
  expect(roomFor({ requests: 1, perMs: 60_000 })).toBe(1);
  expect(roomFor({ requests: 50, perMs: 1_000 })).toBe(50);
});
