// The notes of targets that were deleted, by which what they still had to get is cancelled in short statements: a
// target can have a backlog of millions. A note outlasts whatever could still leave a delivery for its target.

import { deletedTargets } from "../schema.ts";
import { noteDeliveries } from "../journal/changes.ts";
import { type Connection, type Database, runPrepared } from "../connection/database.ts";

/** Of one statement, so that none holds many rows for long. */
const BATCH = 1_000;
/**
 * An intake that began before a target was deleted, and ended after it, leaves a delivery that no lane would ever take.
 * No statement runs for as long as this.
 */
const KEPT = "1 day";

// Sorted, so that it walks the index `deliveries_due` whatever the planner thinks of a target that has most of what
// waits. SKIP LOCKED: of two workers neither waits for the other, and what is being claimed or recorded is looked at
// again by the next.
const cancel = (condition: string) => `
WITH waiting AS (
  SELECT d.id FROM deleted_targets
  CROSS JOIN LATERAL (
    SELECT id FROM deliveries WHERE target_id = deleted_targets.target_id AND next_attempt_at IS NOT NULL
    ORDER BY next_attempt_at LIMIT ${BATCH} FOR UPDATE SKIP LOCKED
  ) d
  WHERE ${condition} LIMIT ${BATCH}
),
cancelled AS (
  UPDATE deliveries SET status = 'cancelled', next_attempt_at = NULL, leased_by = NULL, finished_at = now()
  FROM waiting WHERE deliveries.id = waiting.id
  RETURNING deliveries.id
),
${noteDeliveries("cancelled", "cancelled")}
SELECT count(*)::int AS count FROM cancelled`;

const CANCEL = cancel("true");
const CANCEL_OF = cancel("deleted_targets.target_id = $1");

/** Notes a target whose row the same transaction deletes, and cancels the first batch of what it still has to get. */
export async function noteDeletedTarget(tx: Connection, id: string): Promise<void> {
  await tx.orm.insert(deletedTargets).values({ targetId: id });
  await runPrepared(tx, { name: "cancel-of-deleted", text: CANCEL_OF, values: [id] });
}

/**
 * Cancels a batch of what is pending for targets that are gone. @returns how many, and whether there may be more that
 * nobody else has locked.
 */
export async function cancelForDeleted(db: Database | Connection): Promise<{ cancelled: number; hasMore: boolean }> {
  const [row] = await runPrepared<{ count: number }>(db, { name: "cancel-for-deleted", text: CANCEL, values: [] });
  const cancelled = row?.count ?? 0;
  return { cancelled, hasMore: cancelled === BATCH };
}

/** Forgets the targets that were deleted long ago and have nothing left to cancel. */
export async function pruneDeletedTargets(db: Database): Promise<void> {
  await db.pool.query(
    `DELETE FROM deleted_targets WHERE deleted_at < now() - interval '${KEPT}' AND (
       SELECT id FROM deliveries WHERE target_id = deleted_targets.target_id AND next_attempt_at IS NOT NULL
       ORDER BY next_attempt_at LIMIT 1) IS NULL`,
  );
}
