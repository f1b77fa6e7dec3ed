// Waiting for what another process or connection does: short polling up to a deadline, and a failure that
// shows the last value. No test sleeps for a fixed time.

import { setTimeout as delay } from "node:timers/promises";
import { inspect } from "node:util";

/** Far above what any test waits for, and below a test's own limit, whose failure says less. */
const DEFAULT_TIMEOUT_MS = 120_000;
const POLL_MS = 20;

export interface UntilOptions<T> {
  /** Whether a value is the awaited one; truthiness when not given. */
  accept?: (value: T) => boolean;
  timeoutMs?: number;
  /** What is waited for, for the failure. */
  what?: string;
}

/** The first value that is accepted. An error counts as a value that is not. @throws Error with the last of either. */
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
