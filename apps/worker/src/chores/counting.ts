// Adds what was written lately to the figures of /v1/stats, every few seconds. Every worker does it, one at a time by a
// lock. The next run counts what a run that failed has left.

import type { Logger } from "@sluice/shared/runtime/log";
import type { Database } from "@sluice/store/connection/database";
import { countChanges } from "@sluice/store/journal/stats-count";

import { type Loop, startLoop } from "./loop.ts";

const EVERY_MS = 3_000;

export function startCounting(db: Database, log: Logger): Loop {
  return startLoop(EVERY_MS, async () => {
    try {
      const run = await countChanges(db);
      if (run?.wasForeign === true) {
        log.warn("the database was restored from another cluster: the position of the figures was reset, none is lost");
      }
      return run?.hasMore === true ? 0 : EVERY_MS;
    } catch (error) {
      // Failure policy: open. The figures come late, and stay exact.
      log.warn({ err: error }, "figures not counted yet; trying again");
      return EVERY_MS;
    }
  });
}
