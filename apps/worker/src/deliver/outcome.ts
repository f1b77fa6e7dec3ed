// What an attempt means for its delivery. Pure: the clock and the dice are the caller's.

import { backoffMs } from "@sluice/shared/domain/backoff";
import type { AttemptRecord } from "@sluice/store/delivery/deliveries";

/** What came back. Without a complete response there is an error; a status may have come all the same. */
export interface AttemptResult {
  startedAtMs: number;
  durationMs: number;
  statusCode: number | null;
  error: string | null;
  responseExcerpt: string | null;
  /** From the response, in milliseconds from its arrival. */
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
 * Whether a failure says that the target is down, so that the next event would fare no better: no complete response,
 * 408, 429, 5xx, and a redirect, which answers for the address. Any other 4xx says something of this one event.
 */
export function isTargetFailure({ statusCode, error }: AttemptResult): boolean {
  if (error !== null || statusCode === null) return true;
  if (statusCode >= 400 && statusCode <= 499) return statusCode === 408 || statusCode === 429;
  return statusCode < 200 || statusCode > 299;
}

/** The target says that it is gone for good: RFC 9110, 15.5.11. */
export function isGone({ statusCode }: AttemptResult): boolean {
  return statusCode === 410;
}

/**
 * Only a complete 2xx is a success. A failure is tried again, at the latest at the deadline: the last attempt
 * is made then, and only an attempt at or past the deadline exhausts a delivery, so that none expires unseen.
 * @param failures in a row, should this attempt be one: from 1, and anew after a retry by hand.
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
  // Never sooner than the schedule: a target that asks for 0 seconds, or for a time that is past, would get its
  // failures back as fast as it makes them.
  const retryInMs = Math.max(result.retryAfterMs ?? backoffMs(failures, backoff, random), backoff.baseSeconds * 1000);
  return { status: "pending", retryInMs: Math.min(retryInMs, deadlineInMs) };
}
