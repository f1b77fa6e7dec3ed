// Reads Gemini's envelope {type, version, timestamp, data} and user_metadata out of a payload. Any body with a valid
// signature is an event, so nothing here fails: a field that is missing or malformed is null.

import { mayHoldLongNumber, parseExactJson } from "./exact-json.ts";

export interface Envelope {
  type: string | null;
  /** The payload's own timestamp, in milliseconds since 1970. */
  occurredAtMs: number | null;
  userMetadata: Record<string, unknown> | null;
  /** `data.id`: the id of the job in Gemini that the event is about. */
  dataId: string | null;
}

const EMPTY_ENVELOPE: Envelope = { type: null, occurredAtMs: null, userMetadata: null, dataId: null };
/** A type such as `batch.succeeded`. A subscription cannot name a type that is longer or has other characters. */
export const EVENT_TYPE = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;

/**
 * The limit for JSON that is stored. Nobody nests metadata so deep, and much deeper JSON overflows the stack and jsonb.
 */
const MAX_DEPTH = 64;

export function readEnvelope(body: Buffer): Envelope {
  const payload = parseJson(body);
  if (!isObject(payload)) return EMPTY_ENVELOPE;
  const data = isObject(payload["data"]) ? payload["data"] : {};
  return {
    type: typeof payload["type"] === "string" && EVENT_TYPE.test(payload["type"]) ? payload["type"] : null,
    occurredAtMs: readTime(payload["timestamp"]),
    userMetadata: readUserMetadata(body, payload, data),
    dataId: readDataId(data["id"]),
  };
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

/**
 * Parses a payload. Undefined when the bytes are not UTF-8 or not JSON.
 * @param parse is {@link parseExactJson} where the payload is shown and not calculated with.
 */
export function parseJson(body: Buffer, parse: (text: string) => unknown = JSON.parse): unknown {
  try {
    return parse(utf8.decode(body));
  } catch {
    return undefined;
  }
}

/**
 * The first object under the name user_metadata that can be stored. Several places are searched, because Gemini's
 * documentation does not say where the metadata is.
 * @param containers the payload and its `data`, or the claims of a token and the objects in them.
 */
export function findUserMetadata(...containers: Record<string, unknown>[]): Record<string, unknown> | null {
  for (const container of containers) {
    // SDKs write the name in both ways.
    for (const place of [container["user_metadata"], container["userMetadata"]]) {
      if (isObject(place) && isStorable(place)) return place;
    }
  }
  return null;
}

/**
 * Whether a parsed JSON value has at most so many levels. `JSON.parse` reads any depth, and `JSON.stringify` fails on a
 * deep value.
 */
export function isNestedWithin(levels: number, value: unknown): boolean {
  if (typeof value !== "object" || value === null) return true;
  return levels > 0 && Object.values(value).every((child) => isNestedWithin(levels - 1, child));
}

/**
 * Whether PostgreSQL's jsonb takes a parsed JSON value. jsonb refuses U+0000, a lone surrogate, and some thousand
 * levels of nesting; `JSON.parse` reads all of them. A value that cannot be stored on its own is still in the stored
 * body.
 */
export function isStorable(value: unknown, depth = 0): boolean {
  if (typeof value === "string") return value.isWellFormed() && !value.includes("\0");
  if (typeof value !== "object" || value === null) return true;
  if (depth >= MAX_DEPTH) return false;
  return Object.entries(value).every(([key, child]) => isStorable(key) && isStorable(child, depth + 1));
}

/** The metadata is stored and searched, so its numbers keep all their digits. */
function readUserMetadata(body: Buffer, payload: Record<string, unknown>, data: Record<string, unknown>) {
  const found = findUserMetadata(payload, data);
  const text = found === null ? "" : utf8.decode(body);
  if (!mayHoldLongNumber(text)) return found;
  // Finding the digits is recursive. In a body that is nested too deep for that, the numbers are rounded.
  const exact = parseJson(body, parseExactJson);
  return isObject(exact) ? findUserMetadata(exact, isObject(exact["data"]) ? exact["data"] : {}) : found;
}

/** The API finds events by ids of at most 256 characters, so a longer id is of no use. */
function readDataId(value: unknown): string | null {
  return typeof value === "string" && value !== "" && value.length <= 256 && isStorable(value) ? value : null;
}

function readTime(value: unknown): number | null {
  const ms = typeof value === "string" ? Date.parse(value) : Number.NaN;
  // 1970 to 9999: times that PostgreSQL holds and that ISO 8601 writes with four digits for the year.
  return ms >= 0 && ms < 253_402_300_800_000 ? ms : null;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
