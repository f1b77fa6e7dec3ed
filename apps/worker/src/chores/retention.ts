// Retention: makes the partitions of the next week, drops those past RETENTION_DAYS with the figures of those days,
// prunes the dedupe ledger, and counts anew what waits. Every worker does it every hour; an advisory lock lets one
// change partitions at a time.

import type { Logger } from "@sluice/shared/runtime/log";
import { pruneAudit } from "@sluice/store/requests/audit";
import type { Database } from "@sluice/store/connection/database";
import { pruneConsumedCallbacks } from "@sluice/store/requests/consumed-callbacks";
import { pruneDeletedTargets } from "@sluice/store/configuration/deleted-targets";
import { pruneIdempotencyKeys } from "@sluice/store/requests/idempotency";
import { pruneOperations } from "@sluice/store/delivery/operations";
import { dropOldPartitions, ensurePartitions, pruneLedger } from "@sluice/store/connection/partitions";
import { pruneStats, recountWaiting } from "@sluice/store/journal/stats-count";

import { type Loop, startLoop } from "./loop.ts";

const EVERY_MS = 3_600_000;
const DAY_MS = 86_400_000;
const DAYS_AHEAD = 7;
/** 72 hours are promised. We know no sender that retries for longer than a week. */
const LEDGER_DAYS = 7;

/** Resolves when the partitions are made: without them nothing can be stored. */
export async function startRetention(
  db: Database,
  { retentionDays, auditRetentionDays }: { retentionDays: number; auditRetentionDays: number },
  log: Logger,
): Promise<Loop> {
  await makeAhead();
  return startLoop(0, async () => {
    await run();
    return EVERY_MS;
  });

  async function makeAhead(): Promise<void> {
    await ensurePartitions(db, Date.now() - DAY_MS, Date.now() + DAYS_AHEAD * DAY_MS);
  }

  async function run(): Promise<void> {
    await attempt("make", makeAhead);
    const dropped = await attempt("drop", () => dropOldPartitions(db, Date.now() - retentionDays * DAY_MS));
    const pruned = await attempt("prune", () => pruneLedger(db, Date.now() - LEDGER_DAYS * DAY_MS));
    await attempt("stats", () => pruneStats(db, Date.now() - retentionDays * DAY_MS));
    await attempt("waiting", () => recountWaiting(db));
    await attempt("operations", () => pruneOperations(db, Date.now() - retentionDays * DAY_MS));
    await attempt("callbacks", () => pruneConsumedCallbacks(db));
    await attempt("audit", () => pruneAudit(db, Date.now() - auditRetentionDays * DAY_MS));
    await attempt("deleted", () => pruneDeletedTargets(db));
    await attempt("answers", () => pruneIdempotencyKeys(db));
    if (dropped?.length || pruned) log.info({ dropped, pruned }, "retention");
  }

  /** Runs one step by itself: a partition that cannot be dropped MUST NOT keep the ledger from being pruned. */
  async function attempt<T>(step: string, work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      log.warn({ err: error, step }, "retention failed; tried again in an hour");
      return undefined;
    }
  }
}
