// The ranges of the overview's charts: how far back, and how long one interval is. `/v1/stats` has at most 200 intervals in an
// answer.

import type { Schemas } from "@sluice/client/client";

export interface ChartRange {
  /** As the address has it. */
  name: string;
  label: string;
  /** "in the last …" */
  last: string;
  /** For `since`. */
  since: string;
  interval: Schemas["StatsInterval"];
  stepMs: number;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY: ChartRange = {
  name: "24h",
  label: "24 hours",
  last: "24 hours",
  since: "-24h",
  interval: "ten_minutes",
  stepMs: 10 * MINUTE_MS,
};

export const RANGES: readonly ChartRange[] = [
  { name: "1h", label: "1 hour", last: "hour", since: "-1h", interval: "minute", stepMs: MINUTE_MS },
  DAY,
  { name: "7d", label: "7 days", last: "7 days", since: "-7d", interval: "hour", stepMs: HOUR_MS },
  { name: "30d", label: "30 days", last: "30 days", since: "-30d", interval: "six_hours", stepMs: 6 * HOUR_MS },
];

/** The range that the address names; a day when it names none. */
export const readRange = (name: string): ChartRange => RANGES.find((range) => range.name === name) ?? DAY;
