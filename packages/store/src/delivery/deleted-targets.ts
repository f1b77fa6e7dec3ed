// Deletes a target and cancels its pending deliveries, which can be millions. The transaction that deletes the target
// cancels a first batch and leaves a note; the workers' sweep cancels the rest in short statements. A note stays longer
// than any statement that could still store a delivery for the target.

import { and, eq, isNull, sql } from "drizzle-orm";

import { type Connection, type Database, runPrepared } from "../connection/database.ts";
import { apiKeys, deletedTargets, targets } from "../schema.ts";
import { cancelAll, SET_CANCELLED } from "./transitions.ts";

/** The most rows of one statement, so that none locks many rows for long. */
const BATCH = 1_000;
/**
 * How long a note stays. An intake that began before a target was deleted, and ended after it, leaves a delivery that
 * no lane would ever take; the sweep finds it by the note. No statement runs for as long as this.
 */
const NOTE_KEPT = "1 day";

/** A reader of the delivery sees by this that nobody cancelled it by hand. */
const SET_CANCELLED_WITH_TARGET = `${SET_CANCELLED},
  last_error = 'deleted: the target was deleted before the delivery was finished' || coalesce('; before: ' || last_error, '')`;

// ORDER BY makes the statement walk the index `deliveries_due`, even when the planner knows that one target has most of
// the pending deliveries. SKIP LOCKED: two workers never wait for each other, and a delivery that is being claimed or
// recorded is left for the next run.
const cancelStatement = (condition: string) => `
WITH waiting AS (
  SELECT d.id FROM deleted_targets
  CROSS JOIN LATERAL (
    SELECT id FROM deliveries WHERE target_id = deleted_targets.target_id AND next_attempt_at IS NOT NULL
    ORDER BY next_attempt_at LIMIT ${BATCH} FOR UPDATE SKIP LOCKED
  ) d
  WHERE ${condition} LIMIT ${BATCH}
),
${cancelAll("waiting", SET_CANCELLED_WITH_TARGET)}
SELECT count(*)::int AS count FROM cancelled`;

const CANCEL_FOR_ALL = cancelStatement("true");
const CANCEL_FOR_ONE = cancelStatement("deleted_targets.target_id = $1");

/**
 * Deletes a target, revokes the keys that are for it alone, and cancels the first batch of its pending deliveries. Its log
 * stays.
 * @returns whether it existed.
 */
export async function removeTarget(db: Connection, id: string): Promise<boolean> {
  return db.orm.transaction(async (orm) => {
    const deleted = await orm.delete(targets).where(eq(targets.id, id));
    if (deleted.rowCount === 0) return false;
    await orm.insert(deletedTargets).values({ targetId: id });
    const isOpen = and(eq(apiKeys.targetId, id), isNull(apiKeys.revokedAt));
    await orm
      .update(apiKeys)
      .set({ revokedAt: sql`now()` })
      .where(isOpen);
    await runPrepared({ orm }, { name: "cancel-of-deleted", text: CANCEL_FOR_ONE, values: [id] });
    return true;
  });
}

/**
 * Cancels a batch of the pending deliveries of deleted targets.
 * @returns how many, and whether there may be more that nobody else has locked.
 */
export async function cancelForDeleted(db: Database | Connection): Promise<{ cancelled: number; hasMore: boolean }> {
  const statement = { name: "cancel-for-deleted", text: CANCEL_FOR_ALL, values: [] };
  const [row] = await runPrepared<{ count: number }>(db, statement);
  const cancelled = row?.count ?? 0;
  return { cancelled, hasMore: cancelled === BATCH };
}

/** Deletes the notes of targets that were deleted long ago and have nothing left to cancel. */
export async function pruneDeletedTargets(db: Database): Promise<void> {
  await db.pool.query(
    `DELETE FROM deleted_targets WHERE deleted_at < now() - interval '${NOTE_KEPT}' AND (
       SELECT id FROM deliveries WHERE target_id = deleted_targets.target_id AND next_attempt_at IS NOT NULL
       ORDER BY next_attempt_at LIMIT 1) IS NULL`,
  );
}
