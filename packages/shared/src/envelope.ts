// What the relay reads out of a payload: Gemini's envelope {type, version, timestamp, data} and user_metadata.
// Any body with a valid signature is an event, so nothing here fails: what is not there is null.

export interface Envelope {
  type: string | null;
  /** Milliseconds since 1970, as the payload states it. */
  occurredAtMs: number | null;
  userMetadata: Record<string, unknown> | null;
}

const NOTHING: Envelope = { type: null, occurredAtMs: null, userMetadata: null };
/** Names such as `batch.succeeded`; what is longer or has other characters could not be subscribed to. */
const TYPE = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;

export function readEnvelope(body: Buffer): Envelope {
  const payload = parseJson(body);
  if (!isObject(payload)) return NOTHING;
  const data = isObject(payload["data"]) ? payload["data"] : {};
  return {
    type: typeof payload["type"] === "string" && TYPE.test(payload["type"]) ? payload["type"] : null,
    occurredAtMs: readTime(payload["timestamp"]),
    userMetadata: findUserMetadata(payload) ?? findUserMetadata(data),
  };
}

/** The payload as JSON; undefined when the bytes are not UTF-8 or not JSON. */
export function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    return undefined;
  }
}

function findUserMetadata(container: Record<string, unknown>): Record<string, unknown> | null {
  // The documentation says that it is included and not where; SDKs write it in both cases.
  const found = container["user_metadata"] ?? container["userMetadata"];
  // PostgreSQL's jsonb cannot hold U+0000; the body keeps it.
  return isObject(found) && !JSON.stringify(found).includes("\\u0000") ? found : null;
}

function readTime(value: unknown): number | null {
  const ms = typeof value === "string" ? Date.parse(value) : Number.NaN;
  // The range that PostgreSQL and ISO 8601 with four digits share.
  return ms >= 0 && ms < 253_402_300_800_000 ? ms : null;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
