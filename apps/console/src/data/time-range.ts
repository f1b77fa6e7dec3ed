// Times as the address has them: relative to now (`-24h`), or absolute in UTC.

import { relayNow } from "./clock.ts";

const UNITS_MS: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** @returns what the API takes: a time of RFC 3339. A text that is no time stays, so that the API says what is wrong. */
function resolveTime(text: string, nowMs = relayNow()): string {
  const relative = /^-(\d{1,5})([smhd])$/.exec(text);
  if (relative === null) return text;
  const [, count = "0", unit = "s"] = relative;
  return new Date(nowMs - Number(count) * (UNITS_MS[unit] ?? 0)).toISOString();
}

/** The parameters with absolute times in `since` and `until`. */
export function resolveTimes<T extends object>(query: T): T {
  const entries = Object.entries(query).map(([name, value]) => [
    name,
    (name === "since" || name === "until") && typeof value === "string" ? resolveTime(value) : (value as unknown),
  ]);
  return Object.fromEntries(entries) as T;
}
