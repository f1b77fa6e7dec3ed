// What the relay reads out of a payload: Gemini's envelope {type, version, timestamp, data} and user_metadata.
// Any body with a valid signature is an event, so nothing here fails: what is not there is null.

export interface Envelope {
  type: string | null;
  /** Milliseconds since 1970, as the payload states it. */
  occurredAtMs: number | null;
  userMetadata: Record<string, unknown> | null;
  /** `data.id`: the job of Gemini's that the event is about. */
  dataId: string | null;
}

const NOTHING: Envelope = { type: null, occurredAtMs: null, userMetadata: null, dataId: null };
/** Names such as `batch.succeeded`; what is longer or has other characters could not be subscribed to. */
export const EVENT_TYPE = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;

/** Of what is stored of it as JSON. Nobody nests metadata so deep, and far deeper neither stack nor jsonb holds. */
const MAX_DEPTH = 64;

export function readEnvelope(body: Buffer): Envelope {
  const payload = parseJson(body);
  if (!isObject(payload)) return NOTHING;
  const data = isObject(payload["data"]) ? payload["data"] : {};
  return {
    type: typeof payload["type"] === "string" && EVENT_TYPE.test(payload["type"]) ? payload["type"] : null,
    occurredAtMs: readTime(payload["timestamp"]),
    userMetadata: findUserMetadata(payload, data),
    dataId: readDataId(data["id"]),
  };
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** The payload as JSON; undefined when the bytes are not UTF-8 or not JSON. */
export function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(utf8.decode(body));
  } catch {
    return undefined;
  }
}

/**
 * The first place that holds an object which can be stored: the documentation says that it is included and not where.
 * @param containers the payload and its `data`, or the claims of a token and what they hold.
 */
export function findUserMetadata(...containers: Record<string, unknown>[]): Record<string, unknown> | null {
  for (const container of containers) {
    // SDKs write it in both cases.
    for (const place of [container["user_metadata"], container["userMetadata"]]) {
      if (isObject(place) && isStorable(place)) return place;
    }
  }
  return null;
}

/** Whether a parsed JSON value has at most so many levels. `JSON.parse` reads any depth; `JSON.stringify` does not write it. */
export function isNestedWithin(levels: number, value: unknown): boolean {
  if (typeof value !== "object" || value === null) return true;
  return levels > 0 && Object.values(value).every((child) => isNestedWithin(levels - 1, child));
}

/**
 * Whether PostgreSQL's jsonb takes a parsed JSON value: it has no U+0000 and no lone surrogate, and refuses what is
 * nested some thousand levels deep, which `JSON.parse` reads. What is not stored is still in the body.
 */
export function isStorable(value: unknown, depth = 0): boolean {
  if (typeof value === "string") return value.isWellFormed() && !value.includes("\0");
  if (typeof value !== "object" || value === null) return true;
  if (depth >= MAX_DEPTH) return false;
  return Object.entries(value).every(([key, child]) => isStorable(key) && isStorable(child, depth + 1));
}

/** What is longer could not be asked for. */
function readDataId(value: unknown): string | null {
  return typeof value === "string" && value !== "" && value.length <= 256 && isStorable(value) ? value : null;
}

function readTime(value: unknown): number | null {
  const ms = typeof value === "string" ? Date.parse(value) : Number.NaN;
  // The range that PostgreSQL and ISO 8601 with four digits share.
  return ms >= 0 && ms < 253_402_300_800_000 ? ms : null;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
