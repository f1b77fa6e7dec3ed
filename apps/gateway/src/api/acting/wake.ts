// Wakes a worker for the deliveries of a target that a call of the API made due.

import type { Logger } from "@sluice/shared/runtime/log";

export interface WakeDependencies {
  wakeTarget: (targetId: string) => Promise<unknown>;
  log: Logger;
}

/**
 * Returns at once. Failure policy: open. The deliveries are due in PostgreSQL, so the sweep of a worker finds them
 * within seconds even when the wake-up fails.
 */
export function wake({ wakeTarget, log }: WakeDependencies, targetId: string): void {
  wakeTarget(targetId).catch((error: unknown) => log.warn({ err: error, target_id: targetId }, "target not woken"));
}
