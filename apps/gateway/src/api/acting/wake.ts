// Waking a worker for deliveries that became due by a call of the API.

import type { Logger } from "@sluice/shared/runtime/log";

export interface WakeDependencies {
  wakeTarget: (targetId: string) => Promise<unknown>;
  log: Logger;
}

/**
 * Nobody waits for it. Failure policy: open. What is due stands in PostgreSQL, and the sweep finds it within seconds.
 */
export function wake({ wakeTarget, log }: WakeDependencies, targetId: string): void {
  wakeTarget(targetId).catch((error: unknown) => log.warn({ err: error, target_id: targetId }, "target not woken"));
}
