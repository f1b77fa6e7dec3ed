// The maps of filters: objects of JSON, and the maps that an expression makes, whose keys may also be ints and bools.
// Nothing here trusts an event: only an object's own keys count.

import type { Meter } from "./meter.ts";
import { Duration, Timestamp } from "./times.ts";

/** Listing so many keys takes some 4 ms. */
export const MANY_FIELDS = 20_000;

export type MapKey = string | bigint | boolean;
type CelMap = Readonly<Record<string, unknown>> | ReadonlyMap<MapKey, unknown>;

export function isMap(value: unknown): value is CelMap {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Timestamp) &&
    !(value instanceof Duration)
  );
}

export function isMapKey(value: unknown): value is MapKey {
  return typeof value === "string" || typeof value === "bigint" || typeof value === "boolean";
}

/** @returns the value of a key, or undefined when the map does not have the key. A double finds the int that equals it. */
export function findEntry(map: CelMap, key: unknown, meter: Meter): unknown {
  // Looking up a text hashes the text.
  if (typeof key === "string") meter.spendCopy(key.length);
  if (map instanceof Map) return map.get(typeof key === "number" && Number.isInteger(key) ? BigInt(key) : key);
  return typeof key === "string" && Object.hasOwn(map, key) ? (map as Record<string, unknown>)[key] : undefined;
}

/** Only keysOf pays after the work, because JavaScript does not tell how many keys an object has before it lists them. */
export function keysOf(map: CelMap, meter: Meter): readonly MapKey[] {
  if (meter.hasManyFields && !(map instanceof Map)) {
    throw meter.fail(`the keys of a map cannot be listed in an event of more than ${MANY_FIELDS} fields`);
  }
  const keys = map instanceof Map ? [...(map as ReadonlyMap<MapKey, unknown>).keys()] : Object.keys(map);
  meter.spend(keys.length);
  return keys;
}
