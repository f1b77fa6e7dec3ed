// Removes the bodies of events that are past BODY_RETENTION_DAYS, all the time and in small steps. One worker at a time does a
// step; the rest of the log stays until RETENTION_DAYS.

import type { Logger } from "@sluice/shared/runtime/log";
import type { Database } from "@sluice/store/connection/database";
import { DAY_MS } from "@sluice/store/connection/partitions";
import { removePastBodies } from "@sluice/store/delivery/body-retention";

import { type Loop, startLoop } from "./loop.ts";

const ASK_EVERY_MS = 60_000;
/** The pause after a step, in lengths of the step: a backlog of millions leaves two thirds of the time to live traffic. */
const REST = 2;

export function startBodyRemoval(db: Database, bodyRetentionDays: number, log: Logger): Loop {
  let removed = 0;
  return startLoop(0, async () => {
    try {
      const begunAt = performance.now();
      const step = await removePastBodies(db, Date.now() - bodyRetentionDays * DAY_MS);
      removed += step.removed;
      if (step.hasMore) return REST * (performance.now() - begunAt);
    } catch (error) {
      // Failure policy: open. Bodies stay longer than they have to. The next step goes on where this one failed.
      log.warn({ err: error }, "bodies past BODY_RETENTION_DAYS were not removed; trying again in a minute");
    }
    if (removed > 0) log.info({ bodies: removed }, "bodies past BODY_RETENTION_DAYS were removed");
    removed = 0;
    return ASK_EVERY_MS;
  });
}
