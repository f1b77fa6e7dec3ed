// Deliveries that are past retention and not finished: they are kept, or finished as exhausted, and somebody has to hear
// of them.

import type { Database } from "../connection/database.ts";
import { idFloor } from "@sluice/shared/domain/ids";
import { noteDeliveries } from "../journal/changes.ts";
import type { TargetState } from "../schema.ts";
import { IS_FREE } from "./transitions.ts";

/** The most rows of one statement, so that none locks many rows for long. */
const BATCH = 1_000;

/**
 * Exhausts the unfinished deliveries of events from before an instant, in milliseconds since 1970, with the error
 * `retention`. Leaves out what a worker has in hand: its attempt may succeed.
 * @returns how many.
 */
export async function exhaustPastRetention(db: Database, beforeMs: number): Promise<number> {
  for (let exhausted = 0; ;) {
    // SKIP LOCKED: a row that is locked is being claimed or recorded.
    const { rows } = await db.pool.query<{ count: number }>({
      name: "exhaust-past-retention",
      text: `WITH past AS (
               SELECT id FROM deliveries WHERE id < $1 AND next_attempt_at IS NOT NULL AND ${IS_FREE}
               LIMIT ${BATCH} FOR UPDATE SKIP LOCKED
             ),
             moved AS (
               UPDATE deliveries SET status = 'exhausted', next_attempt_at = NULL, leased_by = NULL, finished_at = now(),
                 last_error = 'retention: not finished within RETENTION_DAYS' || coalesce('; before: ' || last_error, '')
               FROM past WHERE deliveries.id = past.id
               RETURNING deliveries.id
             ),
             ${noteDeliveries("exhausted", "moved")}
             SELECT count(*)::int AS count FROM moved`,
      values: [idFloor(beforeMs)],
    });
    const count = rows[0]?.count ?? 0;
    exhausted += count;
    if (count < BATCH) return exhausted;
  }
}

/** The unfinished deliveries of one target. */
export interface UnfinishedOfTarget {
  targetId: string;
  /** Undefined when the target was deleted and its deliveries are about to be cancelled. */
  targetState: TargetState | undefined;
  deliveries: number;
}

/** Counts the unfinished deliveries of events from before an instant, in milliseconds since 1970; most first. */
export async function countPastRetention(db: Database, beforeMs: number): Promise<UnfinishedOfTarget[]> {
  const { rows } = await db.pool.query<{ target_id: string; state: TargetState | null; count: string }>(
    `SELECT d.target_id, t.state, d.count
     FROM (SELECT target_id, count(*) FROM deliveries WHERE id < $1 AND next_attempt_at IS NOT NULL GROUP BY 1) d
     LEFT JOIN targets t ON t.id = d.target_id ORDER BY d.count DESC, d.target_id`,
    [idFloor(beforeMs)],
  );
  return rows.map((row) => ({
    targetId: row.target_id,
    targetState: row.state ?? undefined,
    deliveries: Number(row.count),
  }));
}
