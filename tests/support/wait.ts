// Waits for what another process or connection does, by short polling up to a deadline. The failure shows the last
// value. No test sleeps for a fixed time.

import { setTimeout as delay } from "node:timers/promises";
import { inspect } from "node:util";

/** Far above what any test waits for, and below the time limit of a test, because the error of this limit says more. */
const DEFAULT_TIMEOUT_MS = 120_000;
const POLL_MS = 20;

export interface UntilOptions<T> {
  /** Returns whether a value is the awaited one. When not given, every truthy value is. */
  accept?: (value: T) => boolean;
  timeoutMs?: number;
  /** Names the awaited thing in the error. */
  what?: string;
}

/**
 * Resolves with the first value that is accepted. An error of `read` counts as a value that is not accepted.
 * @throws Error with the last value or error, after the timeout
 */
export async function until<T>(read: () => T | Promise<T>, options: UntilOptions<T> = {}): Promise<T> {
  const { accept = Boolean, timeoutMs = DEFAULT_TIMEOUT_MS, what = "the condition" } = options;
  const deadlineMs = Date.now() + timeoutMs;
  for (;;) {
    let last: string;
    try {
      const value = await read();
      if (accept(value)) return value;
      last = inspect(value, { depth: 4 });
    } catch (error) {
      last = String(error);
    }
    if (Date.now() >= deadlineMs) throw new Error(`After ${timeoutMs} ms, still waiting for ${what}; last: ${last}`);
    await delay(POLL_MS);
  }
}
