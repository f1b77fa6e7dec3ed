// When a failed delivery is tried again: after an exponential backoff with full jitter, or when `Retry-After` says.

export interface BackoffSettings {
  baseSeconds: number;
  capSeconds: number;
}

/**
 * Milliseconds to the next attempt: evenly spread between the base and base·2^failures, and at most the cap. The spread
 * is wide because deliveries that failed together, when a target went down, must not come back together. The base is
 * the least because a target that failed just now needs a moment.
 * @param failures how many attempts have failed, 1 or more.
 * @param random from [0, 1).
 */
export function backoffMs(failures: number, { baseSeconds, capSeconds }: BackoffSettings, random: number): number {
  const ceiling = Math.min(capSeconds, baseSeconds * 2 ** Math.min(failures, 60));
  const floor = Math.min(baseSeconds, ceiling);
  return Math.round((floor + random * (ceiling - floor)) * 1000);
}

/**
 * Reads `Retry-After` (RFC 9110, 10.2.3): whole seconds or an HTTP date.
 * @returns milliseconds from now, 0 for a date in the past; undefined when the value is neither.
 */
export function readRetryAfter(value: string | undefined, nowMs: number): number | undefined {
  if (value === undefined) return undefined;
  const text = value.trim();
  if (/^[0-9]{1,10}$/.test(text)) return Number(text) * 1000;
  const atMs = readHttpDate(text);
  return atMs === undefined ? undefined : Math.max(0, atMs - nowMs);
}

const IMF_FIXDATE_LENGTH = "Thu, 22 Jan 2026 12:01:30 GMT".length;

/**
 * Reads an HTTP date in the form that every sender must use (IMF-fixdate; RFC 9110, 5.6.7). The two obsolete forms are
 * not read. Milliseconds since 1970; undefined when the text is not such a date.
 */
function readHttpDate(text: string): number | undefined {
  if (text.length !== IMF_FIXDATE_LENGTH) return undefined;
  // The grammar allows a leap second, :60, and Date does not know it.
  const isLeapSecond = text.endsWith(":60 GMT");
  const plain = isLeapSecond ? text.replace(/60 GMT$/, "59 GMT") : text;
  const ms = Date.parse(plain);
  // Date.parse also reads other forms, and the 31st of February. A real IMF-fixdate is what Date writes itself.
  if (new Date(ms).toUTCString() !== plain) return undefined;
  return isLeapSecond ? ms + 1000 : ms;
}
