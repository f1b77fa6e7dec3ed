// When a failed delivery is tried again: exponential backoff with full jitter, and `Retry-After`.

export interface BackoffSettings {
  baseSeconds: number;
  capSeconds: number;
}

/**
 * Milliseconds to the next attempt: evenly spread between the base and base·2^failures, at most the cap. Full
 * jitter, because deliveries that failed together (a target went down) must not come back together; not under
 * the base, because a target that failed just now needs a moment.
 * @param failures how many attempts have failed, 1 or more.
 * @param random from [0, 1).
 */
export function backoffMs(failures: number, { baseSeconds, capSeconds }: BackoffSettings, random: number): number {
  const ceiling = Math.min(capSeconds, baseSeconds * 2 ** Math.min(failures, 60));
  const floor = Math.min(baseSeconds, ceiling);
  return Math.round((floor + random * (ceiling - floor)) * 1000);
}

/**
 * `Retry-After` (RFC 9110, 10.2.3) in milliseconds from now: whole seconds or an HTTP date; undefined when it is
 * neither. A date that is past is 0.
 */
export function readRetryAfter(value: string | undefined, nowMs: number): number | undefined {
  if (value === undefined) return undefined;
  const text = value.trim();
  if (/^[0-9]{1,10}$/.test(text)) return Number(text) * 1000;
  // The three date forms all start with a day's name; Date.parse alone would read "2" as a year.
  if (!/^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)/.test(text)) return undefined;
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowMs);
}
