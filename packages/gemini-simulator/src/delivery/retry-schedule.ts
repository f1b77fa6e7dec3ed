// When a failed attempt is made again: exponential backoff for 24 hours, as the guide promises. The times between the
// attempts are not documented, so they are settings.

export interface RetrySchedule {
  firstDelayMs: number;
  maxDelayMs: number;
  /** From the first attempt. No attempt is made later. */
  horizonMs: number;
}

export const DEFAULT_RETRY_SCHEDULE: RetrySchedule = {
  firstDelayMs: 10_000,
  maxDelayMs: 3_600_000,
  horizonMs: 24 * 3_600_000,
};

/**
 * @param attempts how many attempts there were; at least 1.
 * @param share from 0 to 1: shortens the delay by up to a fifth, so that retries spread.
 * @returns milliseconds until the next attempt.
 */
export function retryDelayMs({ firstDelayMs, maxDelayMs }: RetrySchedule, attempts: number, share: number): number {
  const delayMs = Math.min(maxDelayMs, firstDelayMs * 2 ** (attempts - 1));
  return Math.round(delayMs * (1 - share / 5));
}
