// Adds what was written lately to the figures of /v1/stats, every few seconds. Every worker does it, one at a time by a
// lock. The next run counts what a run that failed has left.

import type { Logger } from "@sluice/shared/runtime/log";
import type { Database } from "@sluice/store/connection/database";
import { countChanges, type FinishedDeliveries } from "@sluice/store/journal/stats-count";

import { type Loop, startLoop } from "./loop.ts";

const EVERY_MS = 3_000;
/**
 * A run that takes long is followed by a pause that is nine times as long. One event to 20,000 targets changes some
 * 180,000 figures, and while nobody looks at them they must not take a core.
 */
const PAUSE_FACTOR = 9;
const LONGEST_PAUSE_MS = 60_000;

/** @param onFinished gets what a run of this worker counted as finished: each delivery in one worker of the relay. */
export function startCounting(
  db: Database,
  log: Logger,
  onFinished: (finished: readonly FinishedDeliveries[]) => void,
): Loop {
  return startLoop(EVERY_MS, async () => {
    const startedAt = performance.now();
    try {
      const run = await countChanges(db);
      if (run !== undefined) onFinished(run.finished);
      if (run?.wasForeign === true) {
        log.warn("the database was restored from another cluster: the position of the figures was reset, none is lost");
      }
      if (run?.hasMore === true) return 0;
      const pauseMs = (performance.now() - startedAt) * PAUSE_FACTOR;
      return Math.min(Math.max(EVERY_MS, pauseMs), LONGEST_PAUSE_MS);
    } catch (error) {
      // Failure policy: open. The figures come late, and stay exact.
      log.warn({ err: error }, "figures not counted yet; trying again");
      return EVERY_MS;
    }
  });
}
