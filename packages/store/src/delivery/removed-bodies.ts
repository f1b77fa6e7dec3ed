// Removes the bodies of events, with everything that was taken from them, and keeps the rows: what came when, and what became
// of it. An event whose body is gone MUST NOT get a delivery that is due, because a worker would send an empty body. So
// whoever makes deliveries due again locks bodies against removal first, and then looks whether they are there.

import { sql } from "drizzle-orm";

import { type Connection, runPrepared } from "../connection/database.ts";
import { inIdRange } from "../log/id-range.ts";
import { belongToDeliveries } from "../log/log-relations.ts";
import { attempts, type BodyRemoval } from "../schema.ts";
import { withoutContent } from "./attempt-details.ts";

/** "body" in ASCII. A lock for all bodies: one for each event would be a write to each event that is replayed. */
const LOCK_KEY = 0x626f6479;

/** Until the transaction ends, no body is removed. Waits for a removal under way, which is short. */
export async function keepBodies(tx: Connection): Promise<void> {
  await tx.orm.execute(sql`SELECT pg_advisory_xact_lock_shared(${LOCK_KEY})`);
}

/** Until the transaction ends, nobody makes a delivery due again, and nobody else removes bodies. */
export async function lockBodies(tx: Connection): Promise<void> {
  await tx.orm.execute(sql`SELECT pg_advisory_xact_lock(${LOCK_KEY})`);
}

// The trace stays, and the `tracestate` of the sender behind it goes (packTraceContext), because it can hold anything.
//
// The terms of an event are computed from its row as they were when it was stored. `event_terms` has no other way to find them.
const REMOVE = `
WITH found AS MATERIALIZED (
  SELECT id, labels, user_metadata FROM events
  WHERE id = ANY($1::uuid[]) AND ${inIdRange("$1::uuid[]")} AND (body_removed_at IS NULL OR ($2 = 'erasure' AND body_removed_by <> $2))
  FOR NO KEY UPDATE
),
forgotten AS (
  DELETE FROM event_terms t USING (
    SELECT term, found.id FROM found, event_terms_of(labels, user_metadata) AS term
    WHERE labels IS NOT NULL OR user_metadata IS NOT NULL
  ) AS old
  WHERE t.term = old.term AND t.event_id = old.id AND ${inIdRange("$1::uuid[]", "t.event_id")}
),
closed AS (
  UPDATE jobs SET labels = NULL, end_data = NULL WHERE event_id = ANY($1::uuid[]) AND (labels IS NOT NULL OR end_data IS NOT NULL)
)
UPDATE events SET body = '', user_metadata = NULL, labels = NULL, filter_errors = NULL, data_id = NULL, content_type = NULL,
  content_encoding = NULL, trace_context = split_part(trace_context, ' ', 1),
  body_removed_at = coalesce(body_removed_at, now()), body_removed_by = $2
WHERE id = ANY($1::uuid[]) AND ${inIdRange("$1::uuid[]")} AND (id IN (SELECT id FROM found)) IS TRUE
RETURNING id`;

/**
 * Removes the bodies of events, and what is kept of the answers of targets. The caller MUST hold {@link lockBodies}, and no
 * delivery of the events may be pending.
 * @param ids at least one.
 * @returns how many were removed; the others were removed before, or are not in the log.
 */
export async function removeBodies(tx: Connection, ids: readonly string[], by: BodyRemoval): Promise<number> {
  const sorted = ids.toSorted();
  const rows = await runPrepared(tx, { name: "remove-bodies", text: REMOVE, values: [sorted, by] });
  await removeExcerpts(tx, sorted);
  return rows.length;
}

/** Removes what the attempts of events hold of the bodies: a target may have answered with what it got. */
async function removeExcerpts(tx: Connection, sortedIds: readonly string[]): Promise<void> {
  const found = await runPrepared<{ id: string }>(tx, {
    name: "deliveries-of-removed",
    text: `SELECT d.id FROM unnest($1::uuid[]) AS e (id) CROSS JOIN LATERAL (
             SELECT id FROM deliveries
             WHERE id >= (left(e.id::text, 13) || '-0000-0000-000000000000')::uuid
               AND id <= (left(e.id::text, 13) || '-ffff-ffff-ffffffffffff')::uuid
               AND event_id = e.id
             OFFSET 0
           ) d`,
    values: [sortedIds],
  });
  const ids = found.map(({ id }) => id);
  if (ids.length === 0) return;
  await tx.orm
    .update(attempts)
    .set({ responseExcerpt: null, details: sql.raw(withoutContent("details")) })
    .where(
      sql`${belongToDeliveries(ids)} AND (${attempts.responseExcerpt} IS NOT NULL
        OR ${attempts.details} <> ${sql.raw(withoutContent("attempts.details"))})`,
    );
}

/** SQL: whether an event `e` has an unfinished delivery. */
export const HAS_UNFINISHED = `EXISTS (
  SELECT FROM deliveries d
  WHERE d.id >= (left(e.id::text, 13) || '-0000-0000-000000000000')::uuid
    AND d.id <= (left(e.id::text, 13) || '-ffff-ffff-ffffffffffff')::uuid
    AND d.event_id = e.id AND d.next_attempt_at IS NOT NULL)`;
