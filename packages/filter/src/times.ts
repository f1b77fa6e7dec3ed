// CEL's timestamps and durations, in nanoseconds: how they are read, written and calculated. Their ranges are those of the
// specification: the years 1 to 9999, and what 64 bits of nanoseconds hold.

import type { Meter } from "./meter.ts";

const NANOS_PER_SECOND = 1_000_000_000n;
const NANOS_PER_MS = 1_000_000n;
const FIRST_NANOS = BigInt(Date.parse("0001-01-01T00:00:00Z")) * NANOS_PER_MS;
const LAST_NANOS = BigInt(Date.parse("9999-12-31T23:59:59Z")) * NANOS_PER_MS + NANOS_PER_SECOND - 1n;
const MAX_DURATION = 2n ** 63n - 1n;

const UNITS: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  "\u00b5s": 1_000n,
  "\u03bcs": 1_000n,
  ms: NANOS_PER_MS,
  s: NANOS_PER_SECOND,
  m: 60n * NANOS_PER_SECOND,
  h: 3_600n * NANOS_PER_SECOND,
};
/** RFC 3339 with capital letters, as the specification's own implementation reads it. */
const TIMESTAMP = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,30}))?(?:Z|([+-])(\d\d):(\d\d))$/;
/** Longer texts are no durations, however many units they have. */
const MAX_DURATION_LENGTH = 100;
/** Reading one of the up to 50 units of a duration takes as long as so many nodes. */
const STEPS_PER_UNIT = 6;
const DURATION = /^[+-]?(?:0|(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|\u00b5s|\u03bcs|ms|s|m|h))+)$/;
const DURATION_PART = /(\d*)\.?(\d*)([a-z\u00b5\u03bc]+)/g;

export class Timestamp {
  /** Since 1970 in UTC. */
  readonly nanos: bigint;

  constructor(nanos: bigint) {
    this.nanos = nanos;
  }

  get epochMs(): number {
    return Number(floorDivide(this.nanos, NANOS_PER_MS));
  }

  get epochSeconds(): bigint {
    return floorDivide(this.nanos, NANOS_PER_SECOND);
  }

  toString(): string {
    const seconds = new Date(this.epochMs).toISOString().slice(0, "0001-01-01T00:00:00".length);
    return `${seconds}${fractionOf(this.nanos - this.epochSeconds * NANOS_PER_SECOND)}Z`;
  }
}

export class Duration {
  readonly nanos: bigint;

  constructor(nanos: bigint) {
    this.nanos = nanos;
  }

  toString(): string {
    const size = this.nanos < 0n ? -this.nanos : this.nanos;
    return `${this.nanos < 0n ? "-" : ""}${size / NANOS_PER_SECOND}${fractionOf(size % NANOS_PER_SECOND)}s`;
  }
}

function floorDivide(value: bigint, divisor: bigint): bigint {
  const quotient = value / divisor;
  return value % divisor < 0n ? quotient - 1n : quotient;
}

function fractionOf(nanos: bigint): string {
  return nanos === 0n ? "" : `.${String(nanos).padStart(9, "0").replace(/0+$/, "")}`;
}

export function toTimestamp(nanos: bigint, meter: Meter): Timestamp {
  if (nanos < FIRST_NANOS || nanos > LAST_NANOS) throw meter.fail("timestamp out of range: the years are 1 to 9999");
  return new Timestamp(nanos);
}

export function toDuration(nanos: bigint, meter: Meter): Duration {
  if (nanos < -MAX_DURATION || nanos > MAX_DURATION) throw meter.fail("duration out of range: at most 292 years");
  return new Duration(nanos);
}

export function timestampOfSeconds(seconds: bigint, meter: Meter): Timestamp {
  return toTimestamp(seconds * NANOS_PER_SECOND, meter);
}

export function parseTimestamp(text: string, meter: Meter): Timestamp {
  const [, year, month, day, hour, minute, second, fraction = "", sign, zoneHours = 0, zoneMinutes = 0] =
    TIMESTAMP.exec(text) ?? [];
  const date = new Date(0);
  // Not Date.UTC, which takes the years 0 to 99 for those of the last century.
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  date.setUTCHours(Number(hour), Number(minute), Number(second));
  const isReal =
    date.getUTCDate() === Number(day) &&
    date.getUTCMonth() === Number(month) - 1 &&
    Number(hour) < 24 &&
    Number(minute) < 60 &&
    Number(second) < 60 &&
    Number(zoneHours) < 24 &&
    Number(zoneMinutes) < 60;
  if (!isReal) throw meter.fail('this string is no timestamp such as "2026-01-31T23:59:59Z"');
  const zoneSeconds = BigInt((Number(zoneHours) * 60 + Number(zoneMinutes)) * 60) * (sign === "-" ? -1n : 1n);
  const nanos = BigInt(date.getTime()) * NANOS_PER_MS - zoneSeconds * NANOS_PER_SECOND + nanosOf(fraction, "s");
  return toTimestamp(nanos, meter);
}

export function parseDuration(text: string, meter: Meter): Duration {
  if (text.length > MAX_DURATION_LENGTH || !DURATION.test(text))
    throw meter.fail('this string is no duration such as "1h30m" or "1.5s"');
  let nanos = 0n;
  for (const [, whole = "", fraction = "", unit = ""] of text.matchAll(DURATION_PART)) {
    meter.spend(STEPS_PER_UNIT);
    nanos += BigInt(whole) * (UNITS[unit] ?? 0n) + nanosOf(fraction, unit);
  }
  return toDuration(text.startsWith("-") ? -nanos : nanos, meter);
}

/** @param digits those after the point; what is less than a nanosecond is cut off. */
function nanosOf(digits: string, unit: string): bigint {
  return (BigInt(digits) * (UNITS[unit] ?? 0n)) / 10n ** BigInt(digits.length);
}

/** @returns the sum, or undefined when the values are no times that can be added. */
export function addTimes(a: unknown, b: unknown, meter: Meter): Timestamp | Duration | undefined {
  if (a instanceof Duration && b instanceof Duration) return toDuration(a.nanos + b.nanos, meter);
  if (a instanceof Timestamp && b instanceof Duration) return toTimestamp(a.nanos + b.nanos, meter);
  if (a instanceof Duration && b instanceof Timestamp) return toTimestamp(a.nanos + b.nanos, meter);
  return undefined;
}

/** @returns the difference, or undefined when the values are no times that can be subtracted. */
export function subtractTimes(a: unknown, b: unknown, meter: Meter): Timestamp | Duration | undefined {
  if (a instanceof Timestamp && b instanceof Duration) return toTimestamp(a.nanos - b.nanos, meter);
  const areAlike =
    (a instanceof Timestamp && b instanceof Timestamp) || (a instanceof Duration && b instanceof Duration);
  return areAlike ? toDuration(a.nanos - b.nanos, meter) : undefined;
}
