// The intervals of the figures. PostgreSQL keeps minutes, hours and days. The two others are made of those, so that a chart of a
// day or of a month has enough points and not too many.

import { z } from "@hono/zod-openapi";

import type { Resolution } from "@sluice/store/schema";

import { invalidRequest } from "../http/invalid-request.ts";

/**
 * The number of intervals in one answer. With twenty targets, 200 intervals are four thousand rows. They are enough for
 * a week by the hour, or for three hours by the minute.
 */
export const MAX_INTERVALS = 200;

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

interface Interval {
  lengthMs: number;
  /** The rows that it is made of. */
  resolution: Resolution;
  /** The number of intervals before `until` when `since` is not given. */
  default: number;
}

const INTERVALS = {
  minute: { lengthMs: MINUTE_MS, resolution: "minute", default: 60 },
  ten_minutes: { lengthMs: 10 * MINUTE_MS, resolution: "minute", default: 144 },
  hour: { lengthMs: HOUR_MS, resolution: "hour", default: 24 },
  six_hours: { lengthMs: 6 * HOUR_MS, resolution: "hour", default: 120 },
  day: { lengthMs: 24 * HOUR_MS, resolution: "day", default: 30 },
} as const satisfies Record<string, Interval>;

export const intervalParameter = z
  .enum(Object.keys(INTERVALS) as (keyof typeof INTERVALS)[])
  .openapi("StatsInterval")
  .default("hour")
  .openapi({ description: "The length of an interval. Days are days of UTC.", example: "hour" });

export interface IntervalRange {
  resolution: Resolution;
  lengthMs: number;
  sinceMs: number;
  untilMs: number;
}

/** @throws SluiceError `invalid_request` for more than MAX_INTERVALS. */
export function readIntervals(query: {
  interval: keyof typeof INTERVALS;
  since?: number | undefined;
  until?: number | undefined;
}): IntervalRange {
  const { interval } = query;
  const { lengthMs, resolution, default: number } = INTERVALS[interval];
  const untilMs = query.until ?? Date.now();
  const firstMs = query.since ?? untilMs - number * lengthMs;
  // `since` may be in the middle of an interval. That interval is shown whole.
  const sinceMs = Math.floor(firstMs / lengthMs) * lengthMs;
  if (untilMs - sinceMs > (MAX_INTERVALS + 1) * lengthMs) {
    const detail = `must be at most ${MAX_INTERVALS} intervals of ${NAMES[interval]} before the end`;
    throw invalidRequest([{ pointer: "?since", detail }]);
  }
  return { resolution, lengthMs, sinceMs, untilMs };
}

const NAMES: Record<keyof typeof INTERVALS, string> = {
  minute: "a minute",
  ten_minutes: "ten minutes",
  hour: "an hour",
  six_hours: "six hours",
  day: "a day",
};
