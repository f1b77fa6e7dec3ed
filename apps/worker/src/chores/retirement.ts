// Drops the partitions that are past RETENTION_DAYS, and says what stays: days that another transaction has locked, and
// deliveries that are not finished. One worker of the relay does it at a time, every hour, or sooner while days are
// overdue. Intake and the making of partitions never wait for it.

import type { Logger } from "@sluice/shared/runtime/log";
import type { Database } from "@sluice/store/connection/database";
import { DAY_MS } from "@sluice/store/connection/partitions";
import { countHeldDays, retirePartitions } from "@sluice/store/connection/retire-partitions";
import {
  countPastRetention,
  exhaustPastRetention,
  type UnfinishedOfTarget,
} from "@sluice/store/delivery/past-retention";
import { endTurn, takeTurn } from "@sluice/store/delivery/retention-state";
import { type FinishedDeliveries, recountWaiting } from "@sluice/store/journal/stats-count";

import { type Loop, startLoop } from "./loop.ts";

/** How often a worker asks whether it is its turn. */
const ASK_EVERY_MS = 60_000;
const EVERY_MS = 3_600_000;
/** While days are overdue. Each try can make others wait for a fraction of a second. */
const AGAIN_MS = 300_000;
/** How many targets the log line names. */
const NAMED_TARGETS = 10;

export interface RetirementSettings {
  retentionDays: number;
  /** What becomes of deliveries that are not finished when they are past retention. */
  unfinished: "keep" | "exhaust";
  /** Gets what this worker counted as finished. */
  onFinished: (finished: readonly FinishedDeliveries[]) => void;
}

export function startRetirement(db: Database, settings: RetirementSettings, log: Logger): Loop {
  return startLoop(0, async () => {
    try {
      if (await takeTurn(db)) await retire(db, settings, log);
    } catch (error) {
      // Failure policy: open. The log stays longer than it has to. The next turn tries again.
      log.warn({ err: error }, "what is past retention was not dropped; trying again");
    }
    return ASK_EVERY_MS;
  });
}

async function retire(db: Database, settings: RetirementSettings, log: Logger): Promise<void> {
  const { retentionDays, unfinished, onFinished } = settings;
  // The whole day: a partition is a day.
  const beforeMs = Math.floor((Date.now() - retentionDays * DAY_MS) / DAY_MS) * DAY_MS;
  if (unfinished === "exhaust") {
    const exhausted = await exhaustPastRetention(db, beforeMs);
    if (exhausted > 0) {
      log.warn({ deliveries: exhausted }, "deliveries past RETENTION_DAYS were exhausted unfinished");
      // The figures are counted from the rows, so before the rows are dropped.
      onFinished(await recountWaiting(db));
    }
  }
  const { dropped, overdue } = await retirePartitions(db, beforeMs);
  if (dropped.length > 0) log.info({ dropped }, "what is past RETENTION_DAYS was dropped");
  const [oldest] = overdue;
  if (oldest !== undefined) {
    log.warn(
      { days: overdue.length, oldest: oldest.day, ...describeReason(oldest.reason) },
      "days past RETENTION_DAYS are not dropped yet; trying again in some minutes",
    );
  }
  const counts = await countPastRetention(db, beforeMs);
  if (counts.length > 0) {
    const deliveries = counts.reduce((sum, each) => sum + each.deliveries, 0);
    log.warn(
      { deliveries, targets: counts.slice(0, NAMED_TARGETS) },
      "unfinished deliveries past RETENTION_DAYS are kept with their events; resume or delete these targets",
    );
  }
  const heldDays = await countHeldDays(db, beforeMs);
  const state = { overdueDays: overdue.length, unfinished: sumByState(counts), heldDays };
  await endTurn(db, state, overdue.length > 0 ? AGAIN_MS : EVERY_MS);
}

function describeReason(reason: unknown): { err: unknown } | { reason: string } {
  if (reason instanceof Error) return { err: reason };
  const isLocked = reason === "tables_busy" || reason === "days_busy";
  return { reason: isLocked ? "another transaction, such as a backup, has the tables locked" : String(reason) };
}

function sumByState(counts: readonly UnfinishedOfTarget[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const { targetState = "deleted", deliveries } of counts)
    sums[targetState] = (sums[targetState] ?? 0) + deliveries;
  return sums;
}
