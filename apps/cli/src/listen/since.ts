// A moment in the past as people type it.

import { SluiceError } from "@sluice/shared/runtime/errors";

const UNITS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** @param text such as `90s`, `30m`, `1h`, `2d`, or a time of RFC 3339. @throws SluiceError `invalid_request` */
export function readSince(text: string, nowMs: number): Date {
  const [, amount, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const atMs = amount === undefined ? Date.parse(text) : nowMs - Number(amount) * UNITS[unit as keyof typeof UNITS];
  if (Number.isNaN(atMs))
    throw new SluiceError("invalid_request", `This is no time such as 1h or 2027-01-22T12:00:00Z: ${text}`);
  return new Date(atMs);
}
