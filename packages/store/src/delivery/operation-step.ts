// One step of an operation: the next deliveries or events that match, oldest first. A step writes its deliveries, the
// figures of the operation and its cursor in one transaction, so that a worker that is killed skips no delivery and does
// none twice. The lock of the operation's row is the lease.

import { and, eq, type SQL, sql } from "drizzle-orm";

import { cutText } from "@sluice/shared/domain/cut-text";

import type { Connection, Database } from "../connection/database.ts";
import { isTransient } from "../connection/postgres-errors.ts";
import { operations } from "../schema.ts";
import { applyToDeliveries, walkDeliveries } from "./deliveries-step.ts";
import { maxDue, type PacedTarget, pauseBeforeNextStepMs } from "./operation-pace.ts";
import type { OperationRecord } from "./operations.ts";
import { replayEvents, walkEvents } from "./replay-step.ts";
import { countRows } from "./walk.ts";

/** The most deliveries of one step: its transaction takes some ten milliseconds, and its ids fit in one journal row. */
export const STEP_SIZE = 500;
/** How long one step counts. */
const COUNT_MS = 500;
/**
 * The failures in a row after which an operation has failed; with the pauses between them they take five minutes or so.
 */
const MAX_FAILURES = 10;
/** When the next step of an operation is due. Migration 0031 says why there are two columns. */
const DUE_AT = "least(next_step_at, next_replay_step_at)";

export interface StepResult {
  operationId: string;
  /** The targets whose deliveries became due. */
  targetIds: string[];
  isLast: boolean;
  /** Why the operation cannot go on. */
  error?: string | undefined;
}

/** Whether some operation has a step to make now. A worker asks this all the time, so it MUST stay cheap. */
export async function hasDueStep(db: Database): Promise<boolean> {
  const { rowCount } = await db.pool.query({
    name: "has-due-step",
    text: `SELECT FROM operations WHERE state = 'running' AND ${DUE_AT} <= now() LIMIT 1`,
  });
  return rowCount === 1;
}

/**
 * Makes the next step of the operation that has waited longest. A step that fails is tried again, and after
 * {@link MAX_FAILURES} failures in a row its operation has failed. A failure because PostgreSQL is away does not count.
 * @returns undefined when no operation has a step to make, or other workers have all of them in hand.
 * @throws the error of the step that failed.
 */
export async function makeNextStep(db: Database, maxDeliveries: number): Promise<StepResult | undefined> {
  const dueAt = sql.raw(DUE_AT);
  let operationId: string | undefined;
  try {
    return await db.orm.transaction(async (orm) => {
      const tx = { orm };
      // A worker's sessions use generic plans (STEADY_PLANS). A generic plan does not see the values of the filter, so
      // it cannot use a partial index.
      await orm.execute(sql`SET LOCAL plan_cache_mode = force_custom_plan`);
      const [operation] = await orm
        .select()
        .from(operations)
        .where(and(eq(operations.state, "running"), sql`${dueAt} <= now()`))
        .orderBy(dueAt)
        .limit(1)
        .for("update", { skipLocked: true });
      operationId = operation?.id;
      if (operation === undefined) return undefined;
      return operation.isCounted ? applyToBatch(tx, operation, maxDeliveries) : countTotal(tx, operation);
    });
  } catch (error) {
    if (operationId !== undefined && !isTransient(error)) await noteFailure(db, operationId, error);
    throw error;
  }
}

/** Counts what matches before any of it is changed, so that the API can show progress from the start. */
async function countTotal(tx: Connection, operation: OperationRecord): Promise<StepResult> {
  const walk = operation.kind === "replay_events" ? walkEvents(tx, operation) : walkDeliveries(tx, operation);
  const { total, reached } = await countRows(tx, walk, { afterId: operation.cursor ?? undefined, withinMs: COUNT_MS });
  await advance(tx, operation, 0, {
    total: operation.total + total,
    isCounted: reached === undefined,
    cursor: reached ?? null,
  });
  return { operationId: operation.id, targetIds: [], isLast: false };
}

async function applyToBatch(tx: Connection, operation: OperationRecord, maxDeliveries: number): Promise<StepResult> {
  const apply = operation.kind === "replay_events" ? replayEvents : applyToDeliveries;
  const { done, failed, targetIds, next, replay, error } = await apply(tx, operation, maxDeliveries);
  const isLast = next === undefined || error !== undefined;
  const pauseMs = isLast ? 0 : pauseBeforeNextStepMs(await readPace(tx, targetIds));
  await advance(tx, operation, pauseMs, {
    done: operation.done + done,
    failed: operation.failed + failed,
    cursor: next ?? operation.cursor,
    ...(replay && { replay }),
    ...(isLast && { state: error === undefined ? "succeeded" : "failed", finishedAt: sql`now()` }),
    error: error ?? null,
  });
  return { operationId: operation.id, targetIds, isLast, error };
}

type Progress = { [Column in keyof OperationRecord]?: OperationRecord[Column] | SQL };

/** Writes how far the operation is, and when its next step is due. */
async function advance(tx: Connection, { id, kind }: OperationRecord, pauseMs: number, progress: Progress) {
  // A new time puts the operation behind all others, so that they take turns and none waits until another has ended.
  const next = sql`clock_timestamp() + ${pauseMs}::float8 * interval '1 ms'`;
  const turn = kind === "replay_events" ? { nextReplayStepAt: next } : { nextStepAt: next };
  await tx.orm
    .update(operations)
    .set({ ...turn, failures: 0, error: null, ...progress })
    .where(eq(operations.id, id));
}

async function readPace(tx: Connection, targetIds: readonly string[]) {
  if (targetIds.length === 0) return [];
  const ids = sql`${sql.param([...targetIds])}::uuid[]`;
  const { rows } = await tx.orm.execute<Record<string, unknown> & PacedTarget>(sql`
    SELECT t.state = 'enabled' AND t.kind <> 'pull' AND coalesce(h.openings, 0) = 0 AS "isTaking", t.max_in_flight AS "maxInFlight",
      t.rate_limit_requests::float8 / t.rate_limit_seconds AS "perSecond",
      (SELECT count(*)::int FROM (
        SELECT FROM deliveries d WHERE d.target_id = t.id AND d.next_attempt_at <= now()
        LIMIT t.max_in_flight * ${maxDue(1)}::int + 1) AS waiting) AS due
    FROM targets t LEFT JOIN target_health h ON h.target_id = t.id WHERE t.id = ANY(${ids})`);
  return rows;
}

async function noteFailure(db: Database, id: string, error: unknown): Promise<void> {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const text = cause instanceof Error ? cause.message : String(cause);
  const next = "clock_timestamp() + least(60, power(2, failures)) * interval '1 s'";
  await db.pool.query(
    `UPDATE operations SET failures = failures + 1, error = $2,
       next_step_at = CASE WHEN next_replay_step_at IS NULL THEN ${next} ELSE next_step_at END,
       next_replay_step_at = CASE WHEN next_replay_step_at IS NOT NULL THEN ${next} END,
       state = CASE WHEN failures + 1 >= $3 THEN 'failed' ELSE state END,
       finished_at = CASE WHEN failures + 1 >= $3 THEN now() END
     WHERE id = $1 AND state = 'running'`,
    [id, cutText(text, 1_000), MAX_FAILURES],
  );
}
