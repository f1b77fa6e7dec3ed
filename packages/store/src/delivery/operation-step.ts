// One step of an operation: the next matching deliveries, oldest first. A step writes its deliveries, the figures of
// the operation and its cursor in one transaction, so that a worker that is killed skips no delivery and does none
// twice. The lock of the operation's row is the lease.

import { and, eq, type SQL, sql } from "drizzle-orm";

import { idTime } from "@sluice/shared/domain/ids";

import type { Connection, Database } from "../connection/database.ts";
import { isTransient } from "../connection/postgres-errors.ts";
import { anyOf } from "../log/id-range.ts";
import { deliveryConditions } from "../log/log-filter.ts";
import { deliverySearch } from "../log/records.ts";
import { PAGE_BUDGET, search } from "../log/search.ts";
import { deliveries, type DeliveryStatus, operations } from "../schema.ts";
import { cancelMany, retryMany } from "./by-hand.ts";
import { maxDue, type PacedTarget, pauseBeforeNextStepMs } from "./operation-pace.ts";
import type { BulkFilter, OperationRecord } from "./operations.ts";

/** The most deliveries of one step: its transaction takes some ten milliseconds, and its ids fit in one journal row. */
export const STEP_SIZE = 500;
const COUNT_BATCH = 5_000;
/** How long one step counts. */
const COUNT_MS = 500;
/**
 * The failures in a row after which an operation has failed; with the pauses between them they take five minutes or so.
 */
const MAX_FAILURES = 10;

export interface StepResult {
  operationId: string;
  /** The targets whose deliveries became due. */
  targetIds: string[];
  isLast: boolean;
}

/** Whether some operation has a step to make now. A worker asks this all the time, so it MUST stay cheap. */
export async function hasDueStep(db: Database): Promise<boolean> {
  const { rowCount } = await db.pool.query({
    name: "has-due-step",
    text: "SELECT FROM operations WHERE state = 'running' AND next_step_at <= now() LIMIT 1",
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
        .where(and(eq(operations.state, "running"), sql`${operations.nextStepAt} <= now()`))
        .orderBy(operations.nextStepAt)
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

/** Counts the deliveries before any is changed, so that the API can show progress from the start. */
async function countTotal(tx: Connection, operation: OperationRecord): Promise<StepResult> {
  const { total, reached } = await countMatching(tx, readFilter(operation), {
    afterId: operation.cursor ?? undefined,
    withinMs: COUNT_MS,
  });
  await advance(tx, operation.id, {
    total: operation.total + total,
    isCounted: reached === undefined,
    cursor: reached ?? null,
  });
  return { operationId: operation.id, targetIds: [], isLast: false };
}

async function applyToBatch(tx: Connection, operation: OperationRecord, maxDeliveries: number): Promise<StepResult> {
  const filter = readFilter(operation);
  const { ids, next } = await readBatch(tx, filter, operation.cursor ?? undefined, maxDeliveries);
  // A row may have changed since it was found: the statement compares these again once it has locked the rows.
  const matches = and(...deliveryConditions(filter).own) ?? sql`true`;
  const targetIds = operation.kind === "retry_deliveries" ? await retryMany(tx, ids, matches) : [];
  const done = operation.kind === "retry_deliveries" ? targetIds.length : await cancelMany(tx, ids, matches);
  const isLast = next === undefined;
  const touched = [...new Set(targetIds)];
  const pauseMs = isLast ? 0 : pauseBeforeNextStepMs(await readPace(tx, touched));
  await advance(tx, operation.id, {
    done: operation.done + done,
    failed: operation.failed + ids.length - done,
    cursor: next ?? operation.cursor,
    nextStepAt: sql`clock_timestamp() + ${pauseMs}::float8 * interval '1 ms'`,
    ...(isLast && { state: "succeeded" as const, finishedAt: sql`now()` }),
  });
  return { operationId: operation.id, targetIds: touched, isLast };
}

type Progress = { [Column in keyof OperationRecord]?: OperationRecord[Column] | SQL };

async function advance(tx: Connection, id: string, progress: Progress): Promise<void> {
  // A new time puts the operation behind all others, so that they take turns and none waits until another has ended.
  const turn = { nextStepAt: sql`clock_timestamp()`, failures: 0, error: null };
  await tx.orm
    .update(operations)
    .set({ ...turn, ...progress })
    .where(eq(operations.id, id));
}

/** The operation's filter, limited to deliveries that existed when it was made: its caller did not mean later ones. */
function readFilter({ id, filter }: OperationRecord): BulkFilter {
  const given: BulkFilter = filter;
  return { ...given, untilMs: Math.min(given.untilMs ?? Number.POSITIVE_INFINITY, idTime(id) + 1) };
}

/** @returns the ids, and as `next` the id after which the next batch begins; undefined when this batch was the last. */
async function readBatch(on: Connection, filter: BulkFilter, afterId: string | undefined, limit: number) {
  const { sinceMs, untilMs, ...rest } = filter;
  const page = { limit, order: "oldest", afterId, sinceMs, untilMs } as const;
  const { ids, searchedTo } = await search(on, deliverySearch(on, rest), page, PAGE_BUDGET);
  return { ids, next: ids.length === limit ? ids.at(-1) : searchedTo };
}

export interface MatchCount {
  total: number;
  byStatus: Partial<Record<DeliveryStatus, number>>;
  /** The last id that was read when the time was over; undefined when all are counted. */
  reached: string | undefined;
}

/** Counts the deliveries that match a filter, oldest first, and stops after about `withinMs`. */
export async function countMatching(
  on: Connection,
  filter: BulkFilter,
  { afterId, withinMs }: { afterId?: string | undefined; withinMs: number },
): Promise<MatchCount> {
  const endsAt = performance.now() + withinMs;
  const counted: MatchCount = { total: 0, byStatus: {}, reached: afterId };
  do {
    const { ids, next } = await readBatch(on, filter, counted.reached, COUNT_BATCH);
    counted.total += ids.length;
    counted.reached = next;
    if (ids.length === 0) continue;
    const rows = await on.orm
      .select({ status: deliveries.status, count: sql<number>`count(*)::int` })
      .from(deliveries)
      .where(anyOf(deliveries.id, ids))
      .groupBy(deliveries.status);
    for (const { status, count: more } of rows) counted.byStatus[status] = (counted.byStatus[status] ?? 0) + more;
  } while (counted.reached !== undefined && performance.now() < endsAt);
  return counted;
}

async function readPace(tx: Connection, targetIds: readonly string[]) {
  if (targetIds.length === 0) return [];
  const ids = sql`${sql.param([...targetIds])}::uuid[]`;
  const { rows } = await tx.orm.execute<Record<string, unknown> & PacedTarget>(sql`
    SELECT t.state = 'enabled' AND coalesce(h.openings, 0) = 0 AS "isTaking", t.max_in_flight AS "maxInFlight",
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
  await db.pool.query(
    `UPDATE operations SET failures = failures + 1, error = $2,
       next_step_at = clock_timestamp() + least(60, power(2, failures)) * interval '1 s',
       state = CASE WHEN failures + 1 >= $3 THEN 'failed' ELSE state END,
       finished_at = CASE WHEN failures + 1 >= $3 THEN now() END
     WHERE id = $1 AND state = 'running'`,
    [id, text.slice(0, 1_000), MAX_FAILURES],
  );
}
