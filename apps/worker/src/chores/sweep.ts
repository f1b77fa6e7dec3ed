// The sweep: every few seconds, each worker wakes the lanes of targets that have deliveries which are due and which no
// worker has in hand. It asks PostgreSQL alone, so it works whatever happened to the queues. Once a minute it exhausts
// deliveries that are past their deadline behind an open breaker, where no attempt comes that would do so. And it
// cancels the deliveries that deleted targets still had to get.

import type { Logger } from "@sluice/shared/runtime/log";
import { sparing } from "@sluice/shared/runtime/sparing-log";
import type { Database } from "@sluice/store/connection/database";
import { cancelForDeleted } from "@sluice/store/configuration/deleted-targets";
import { exhaustOverdue, listTargetsWithDue } from "@sluice/store/delivery/deliveries";

import { type Loop, startLoop } from "./loop.ts";

const EVERY_MS = 5_000;
/** A minute is enough: a delivery past its deadline gets that long for a last probe anyway. */
const OVERDUE_EVERY_MS = 60_000;
/** Few at a time, so that no statement holds many rows for long. */
const OVERDUE_BATCH = 1_000;
/** The batches of one run, some quarter of a second. The next run wakes the lanes before it goes on. */
const CANCELLED_BATCHES = 5;

export function startSweep(db: Database, wake: (targetId: string) => void, log: Logger): Loop {
  let overdueAt = Number.NEGATIVE_INFINITY;
  const endOverdue = async () => {
    if (performance.now() - overdueAt < OVERDUE_EVERY_MS) return;
    overdueAt = performance.now();
    const deliveries = await exhaustOverdue(db, OVERDUE_BATCH);
    if (deliveries > 0) log.warn({ deliveries }, "exhausted behind open breakers");
    // There may be more: the next run looks again.
    if (deliveries === OVERDUE_BATCH) overdueAt = Number.NEGATIVE_INFINITY;
  };
  let cancelled = 0;
  /** @returns whether there may be more. */
  const cancelSome = async (): Promise<boolean> => {
    for (let batch = 0; batch < CANCELLED_BATCHES; batch++) {
      const done = await cancelForDeleted(db);
      cancelled += done.cancelled;
      if (done.hasMore) continue;
      // One line for all batches, however large the backlog was.
      if (cancelled > 0) log.info({ deliveries: cancelled }, "cancelled: their targets were deleted");
      cancelled = 0;
      return false;
    }
    return true;
  };
  // The first run is at once: what became due while no worker ran waits for it.
  return startLoop(0, async () => {
    try {
      for (const targetId of await listTargetsWithDue(db)) wake(targetId);
      await endOverdue();
      if (await cancelSome()) return 0;
    } catch (error) {
      sparing(log).warn({ err: error }, "sweep failed; trying again");
    }
    // Spread by a fifth, so that the workers do not all ask at the same time.
    return EVERY_MS * (0.9 + Math.random() * 0.2);
  });
}
