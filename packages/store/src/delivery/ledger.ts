// The dedupe ledger `event_keys`: the event that each webhook id of a source became. `storeEvents` writes it.

import { and, eq } from "drizzle-orm";

import { idFloor } from "@sluice/shared/domain/ids";
import { type JobEnd } from "@sluice/shared/domain/job-ends";

import type { Connection, Database } from "../connection/database.ts";
import { eventKeys, jobEnds } from "../schema.ts";

export async function findEventId(tx: Connection, sourceId: string, webhookId: string): Promise<string | undefined> {
  const found = await tx.orm
    .select({ id: eventKeys.eventId })
    .from(eventKeys)
    .where(and(eq(eventKeys.sourceId, sourceId), eq(eventKeys.webhookId, webhookId)));
  return found[0]?.id;
}

/** The event that tells of the end of a job. */
export async function findEndEventId(tx: Connection, sourceId: string, end: JobEnd): Promise<string | undefined> {
  const found = await tx.orm
    .select({ id: jobEnds.eventId })
    .from(jobEnds)
    .where(and(eq(jobEnds.sourceId, sourceId), eq(jobEnds.jobId, end.jobId), eq(jobEnds.type, end.type)));
  return found[0]?.id;
}

/** The most entries of one statement: some milliseconds, and little for a standby to replay. */
const PRUNE_BATCH = 5_000;

/** Deletes the entries of events that were made before an instant. @returns how many. */
export async function pruneLedger(db: Database, beforeMs: number): Promise<number> {
  // Each statement begins where the one before it ended. From the start, it would first read every entry that was
  // deleted: as long as another transaction is open, such as a backup, none of them can leave the index.
  let from = idFloor(0);
  for (let pruned = 0; ;) {
    const { rows } = await db.pool.query<{ count: number; last: string | null }>({
      name: "prune-ledger",
      text: `WITH old AS (
               SELECT source_id, webhook_id, event_id FROM event_keys
               WHERE event_id >= $1 AND event_id < $2 ORDER BY event_id LIMIT ${PRUNE_BATCH}
             ),
             pruned AS (
               DELETE FROM event_keys USING old
               WHERE event_keys.source_id = old.source_id AND event_keys.webhook_id = old.webhook_id
             )
             SELECT count(*)::int AS count, max(event_id::text) AS last FROM old`,
      values: [from, idFloor(beforeMs)],
    });
    const { count = 0, last } = rows[0] ?? {};
    pruned += count;
    if (count < PRUNE_BATCH || last === null || last === undefined) return pruned;
    from = last;
  }
}
