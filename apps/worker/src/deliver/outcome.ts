// What the result of an attempt means for its delivery and its target. Pure: the caller has the clock and the dice.

import { backoffMs } from "@sluice/shared/domain/backoff";
import type { AttemptRecord } from "@sluice/store/delivery/deliveries";

/** What came back. There is an error when no complete response came; a status code may have come all the same. */
export interface AttemptResult {
  startedAtMs: number;
  durationMs: number;
  statusCode: number | null;
  error: string | null;
  responseExcerpt: string | null;
  /** The `Retry-After` of the response, in milliseconds from its arrival. */
  retryAfterMs: number | undefined;
}

export interface OutcomeSettings {
  retryBaseSeconds: number;
  retryCapSeconds: number;
}

export function isSuccess({ statusCode, error }: AttemptResult): boolean {
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

/** Whether the target says that it is gone for good: RFC 9110, 15.5.11. */
export function isGone({ statusCode }: AttemptResult): boolean {
  return statusCode === 410;
}

/**
 * Only a complete 2xx is a success. A failure is tried again, and the last attempt is made at the deadline. Only an
 * attempt at or past the deadline exhausts a delivery, so that no delivery expires without a last attempt.
 * @param failures in a row if this attempt is one, counted from 1 and from a retry by hand.
 * @param deadlineInMs from now; negative once it is past.
 * @param random from [0, 1).
 */
export function decideOutcome(
  result: AttemptResult,
  failures: number,
  deadlineInMs: number,
  settings: OutcomeSettings,
  random: number,
): AttemptRecord["next"] {
  if (isSuccess(result)) return { status: "succeeded" };
  if (deadlineInMs <= 0) return { status: "exhausted" };
  const backoff = { baseSeconds: settings.retryBaseSeconds, capSeconds: settings.retryCapSeconds };
  // Never sooner than the base of the schedule: a target that asks for 0 seconds, or for a time in the past, would
  // otherwise be tried again as fast as it fails.
  const retryInMs = Math.max(result.retryAfterMs ?? backoffMs(failures, backoff, random), backoff.baseSeconds * 1000);
  return { status: "pending", retryInMs: Math.min(retryInMs, deadlineInMs) };
}
