// The values of filters: JSON as JSON.parse returns it, CEL's int as a bigint, maps with other keys (maps.ts), and times
// (times.ts). Nothing here trusts an event: depth is limited, and a meter limits the work.

import { cutText } from "@sluice/shared/domain/cut-text";

import { findEntry, isMap, keysOf } from "./maps.ts";
import type { Meter } from "./meter.ts";
import { Duration, Timestamp } from "./times.ts";

/** Comparing values needs a call on the stack for each level, so deeper values are not compared. */
const MAX_DEPTH = 64;

export function isNumber(value: unknown): value is number | bigint {
  return typeof value === "number" || typeof value === "bigint";
}

/** @returns the name of the value's type in CEL. */
export function typeName(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "list";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "bigint") return "int";
  if (typeof value === "number") return "double";
  if (value instanceof Timestamp) return "timestamp";
  if (value instanceof Duration) return "duration";
  return typeof value === "string" ? "string" : "map";
}

const MIN_INT = -(2n ** 63n);
const MAX_INT = 2n ** 63n - 1n;

/** Whether the value fits into CEL's int of 64 bits. */
export const isInt = (value: bigint): boolean => value >= MIN_INT && value <= MAX_INT;

export function toInt(value: bigint, meter: Meter): bigint {
  if (isInt(value)) return value;
  throw meter.fail("int overflow");
}

/** Checks that a value is a string. The caller pays for what it reads of the string. */
export function readText(value: unknown, meter: Meter): string {
  if (typeof value === "string") return value;
  throw meter.fail(`expected a string and got a ${typeName(value)}`);
}

/** Compares deeply. An int and a double can be equal. Other values of different types never are. */
export function celEquals(a: unknown, b: unknown, meter: Meter, depth = 0): boolean {
  meter.spend(1);
  if (depth > MAX_DEPTH) throw meter.fail(`values nested deeper than ${MAX_DEPTH} are not compared`);
  // CEL compares an int with a double as doubles. Two ints are compared exactly.
  if (isNumber(a) && isNumber(b)) return typeof a === typeof b ? a === b : Number(a) === Number(b);
  if (typeof a === "string" && typeof b === "string") {
    if (a.length === b.length) meter.spendCopy(a.length);
    return a === b;
  }
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, index) => celEquals(item, b[index], meter, depth + 1));
  }
  if (isMap(a) && isMap(b)) {
    const keys = keysOf(a, meter);
    if (keys.length !== keysOf(b, meter).length) return false;
    return keys.every((key) => {
      const other = findEntry(b, key, meter);
      return other !== undefined && celEquals(findEntry(a, key, meter), other, meter, depth + 1);
    });
  }
  if (a instanceof Timestamp && b instanceof Timestamp) return a.nanos === b.nanos;
  if (a instanceof Duration && b instanceof Duration) return a.nanos === b.nanos;
  return a === b;
}

/** The result of CEL's operator `in`. */
export function isIn(value: unknown, container: unknown, meter: Meter): boolean {
  if (Array.isArray(container)) return container.some((item) => celEquals(item, value, meter));
  if (isMap(container)) return findEntry(container, value, meter) !== undefined;
  throw meter.fail(`"in" needs a list or a map and got a ${typeName(container)}`);
}

/** @returns the field of a map by its name, or the item of a list by its index. */
export function access(container: unknown, key: unknown, meter: Meter): unknown {
  if (isMap(container)) {
    const value = findEntry(container, key, meter);
    if (value !== undefined) return value;
    const shown = typeof key === "string" ? JSON.stringify(cutText(key, 100)) : nameKey(key);
    throw meter.fail(`no such key: ${shown}`);
  }
  if (Array.isArray(container) && isNumber(key)) {
    const index = Number(key);
    if (Number.isInteger(index) && index >= 0 && index < container.length) return container[index];
    throw meter.fail(`no item ${index} in a list of length ${container.length}`);
  }
  throw meter.fail(`a ${typeName(container)} has no ${typeof key === "string" ? "fields" : "items"}`);
}

function nameKey(key: unknown): string {
  return isNumber(key) || typeof key === "boolean" ? String(key) : `a ${typeName(key)}`;
}
