// The sweep: every few seconds, one worker finds the targets that have deliveries which are due and in nobody's hands,
// and every worker wakes their lanes. It asks PostgreSQL alone, so it works whatever happened to the queues. The worker
// that sweeps also exhausts, once a minute, deliveries that are past their deadline behind an open breaker, where no
// attempt comes that would do so. And it cancels the deliveries that deleted targets still had to get.

import type { Logger } from "@sluice/shared/runtime/log";
import { sparing } from "@sluice/shared/runtime/sparing-log";
import type { Database } from "@sluice/store/connection/database";
import { cancelForDeleted } from "@sluice/store/delivery/deleted-targets";
import { exhaustOverdue } from "@sluice/store/delivery/deliveries";
import { listTargetsWithDue, shareDue, takeSweepTurn } from "@sluice/store/delivery/sweep";

import { type Loop, startLoop } from "./loop.ts";

/** The time between two searches, whichever workers make them. */
const EVERY_MS = 5_000;
/** How often each worker looks at what was found, and whether a search is due. */
const LOOK_EVERY_MS = 2_000;
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
  let known = 0n;
  /** Whether this worker goes on with its turn, because something is left to cancel. */
  let keepsTurn = false;
  const sweepOnce = async () => {
    const targetIds = await listTargetsWithDue(db);
    // Before the others, because they wake their lanes for the same deliveries.
    for (const targetId of targetIds) wake(targetId);
    known = (await shareDue(db, targetIds)) ?? known;
    await endOverdue();
    keepsTurn = await cancelSome();
  };
  // The first run is at once: what became due while no worker ran waits for it.
  return startLoop(0, async () => {
    try {
      if (!keepsTurn) {
        const turn = await takeSweepTurn(db, known, EVERY_MS);
        known = turn.number;
        for (const targetId of turn.targetIds) wake(targetId);
        if (!turn.isOwn) return nextLookMs();
      }
      keepsTurn = false;
      await sweepOnce();
      if (keepsTurn) return 0;
    } catch (error) {
      // Failure policy: open. Another worker, or the next run of this one, searches again.
      sparing(log).warn({ err: error }, "sweep failed; trying again");
    }
    return nextLookMs();
  });
}

/** Spread by a fifth, so that the workers do not all ask at the same time. */
function nextLookMs(): number {
  return LOOK_EVERY_MS * (0.9 + Math.random() * 0.2);
}
