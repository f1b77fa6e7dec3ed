// What the result of an attempt means for its delivery. Pure: the caller has the clock and the dice.

import { backoffMs } from "@sluice/shared/domain/backoff";
import type { AttemptRecord } from "@sluice/store/delivery/deliveries";

import { type AttemptResult, isSuccess } from "./attempt-result.ts";

export interface OutcomeSettings {
  retryBaseSeconds: number;
  retryCapSeconds: number;
  retryHorizonSeconds: number;
}

/**
 * The part of the horizon that one `Retry-After` may use up, so that tries are left whatever a target asks for: six hours
 * of the default horizon of a day.
 */
const RETRY_AFTER_SHARE = 1 / 4;

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
  const pauseMs = readPause(result, settings) ?? backoffMs(failures, backoff, random);
  const retryInMs = Math.max(pauseMs, backoff.baseSeconds * 1000);
  return { status: "pending", retryInMs: Math.min(retryInMs, deadlineInMs) };
}

/** What the target asks for, as far as it is honoured. */
function readPause({ retryAfterMs }: AttemptResult, { retryHorizonSeconds }: OutcomeSettings): number | undefined {
  return retryAfterMs && Math.min(retryAfterMs, RETRY_AFTER_SHARE * retryHorizonSeconds * 1000);
}
