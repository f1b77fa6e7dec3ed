// What came back from one attempt, and what it says about the target.

/** What came back. There is an error when no complete response came; a status code may have come all the same. */
export interface AttemptResult {
  startedAtMs: number;
  durationMs: number;
  statusCode: number | null;
  error: string | null;
  responseExcerpt: string | null;
  /** The `Retry-After` of the response, in milliseconds from its arrival. */
  retryAfterMs: number | undefined;
  seen: SeenOnWire;
}

/** What the log keeps of a connection and a response. Each is null when the attempt did not come so far. */
export interface SeenOnWire {
  /** The address and the port of the target's end. */
  address: string | null;
  /** From the start of the attempt, in milliseconds. */
  connectMs: number | null;
  firstByteMs: number | null;
  /** As they came. */
  responseHeaders: ResponseHeaders | null;
}

export type ResponseHeaders = Record<string, string | string[] | undefined>;

export function isSuccess({ statusCode, error }: Pick<AttemptResult, "statusCode" | "error">): boolean {
  return error === null && statusCode !== null && statusCode >= 200 && statusCode <= 299;
}

/**
 * Whether a failure says that the target is down, so that the next event would fail too: no complete response, 408,
 * 429, 5xx, or a redirect, which concerns the address. Any other 4xx says something about this one event only.
 */
export function isTargetFailure({ statusCode, error }: AttemptResult): boolean {
  if (error !== null || statusCode === null) return true;
  if (statusCode >= 400 && statusCode <= 499) return statusCode === 408 || statusCode === 429;
  return statusCode < 200 || statusCode > 299;
}

/** Whether the target asks its sender to slow down: RFC 6585, 4. */
export function isRateLimited({ statusCode }: AttemptResult): boolean {
  return statusCode === 429;
}

/** Whether the target says that it is gone for good: RFC 9110, 15.5.11. */
export function isGone({ statusCode }: AttemptResult): boolean {
  return statusCode === 410;
}
