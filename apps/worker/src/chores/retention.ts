// Retention: makes the partitions of the next week, prunes the dedupe ledger, the figures and what else gets old, and
// counts anew what waits. Every worker does it every hour. It does not drop partitions (retirement.ts): a drop may have to
// come back later.

import type { Logger } from "@sluice/shared/runtime/log";
import { pruneAudit } from "@sluice/store/requests/audit";
import type { Database } from "@sluice/store/connection/database";
import { pruneConsoleSessions } from "@sluice/store/requests/console-sessions";
import { pruneConsumedCallbacks } from "@sluice/store/requests/consumed-callbacks";
import { repeatErasures } from "@sluice/store/delivery/erasure";
import { pruneDeletedTargets } from "@sluice/store/delivery/deleted-targets";
import { pruneSpentTokens } from "@sluice/store/requests/spent-tokens";
import { pruneIdempotencyKeys } from "@sluice/store/requests/idempotency";
import { pruneLedger } from "@sluice/store/delivery/ledger";
import { noteRetention, type RetentionPeriods } from "@sluice/store/delivery/retention-state";
import { pruneOperations } from "@sluice/store/delivery/operations";
import { DAY_MS, ensurePartitions } from "@sluice/store/connection/partitions";
import { type FinishedDeliveries, pruneStats, recountWaiting } from "@sluice/store/journal/stats-count";
import { pruneWaitingSamples } from "@sluice/store/journal/waiting-samples";
import { pruneStrays } from "@sluice/store/log/stray-deliveries";
import { pruneJobs } from "@sluice/store/upstream/jobs";
import { pruneJobEnds } from "@sluice/store/upstream/jobs-ends";
import { pruneGeminiRequests } from "@sluice/store/upstream/request-budget";
import { pruneTargetRevisions } from "@sluice/store/configuration/targets-part";

import { type Loop, startLoop } from "./loop.ts";

const EVERY_MS = 3_600_000;
const DAYS_AHEAD = 7;
/** 72 hours are promised. We know no sender that retries for longer than a week. */
const LEDGER_DAYS = 7;

export interface RetentionSettings {
  periods: RetentionPeriods;
  /** Gets what this worker counted as finished. */
  onFinished: (finished: readonly FinishedDeliveries[]) => void;
}

/** Resolves when the partitions are made: without them nothing can be stored. */
export async function startRetention(
  db: Database,
  { periods, onFinished }: RetentionSettings,
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
    const { logDays, auditDays } = periods;
    await attempt("make", makeAhead);
    await attempt("periods", () => noteRetention(db, periods));
    const pruned = await attempt("prune", () => pruneLedger(db, Date.now() - LEDGER_DAYS * DAY_MS));
    await attempt("stats", () => pruneStats(db, Date.now() - logDays * DAY_MS));
    await attempt("samples", () => pruneWaitingSamples(db, Date.now() - logDays * DAY_MS));
    await attempt("waiting", async () => onFinished(await recountWaiting(db)));
    await attempt("operations", () => pruneOperations(db, Date.now() - logDays * DAY_MS));
    await attempt("strays", () => pruneStrays(db, Date.now() - logDays * DAY_MS));
    await attempt("callbacks", () => pruneConsumedCallbacks(db));
    await attempt("tokens", () => pruneSpentTokens(db));
    await attempt("jobs", () => pruneJobs(db, Date.now() - logDays * DAY_MS));
    await attempt("ends", () => pruneJobEnds(db));
    await attempt("requests", () => pruneGeminiRequests(db));
    await attempt("audit", () => pruneAudit(db, Date.now() - auditDays * DAY_MS));
    await attempt("deleted", () => pruneDeletedTargets(db));
    await attempt("revisions", () => pruneTargetRevisions(db));
    await attempt("erasures", () => repeatErasures(db));
    await attempt("sessions", () => pruneConsoleSessions(db));
    await attempt("answers", () => pruneIdempotencyKeys(db));
    if (pruned) log.info({ pruned }, "retention");
  }

  /** Runs one step by itself: a step that fails MUST NOT keep the others from their work. */
  async function attempt<T>(step: string, work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      log.warn({ err: error, step }, "retention failed; tried again in an hour");
      return undefined;
    }
  }
}
