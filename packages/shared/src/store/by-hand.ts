// What people do to deliveries: cancel one, and send an event again. None of it touches a delivery that a worker has in
// hand: it is being attempted, and its outcome is about to be written.

import { sql } from "drizzle-orm";

import { noteDeliveries } from "./changes.ts";
import type { Connection } from "./database.ts";
import type { NewDelivery } from "./intake.ts";
import { type DeliveryRecord, getDelivery } from "./log.ts";

export type CancelResult =
  | { kind: "cancelled"; delivery: DeliveryRecord }
  | { kind: "in_flight" }
  | { kind: "finished" }
  | { kind: "not_found" };

/**
 * Ends a delivery that waits for an attempt. Against a claim at the same moment the row's lock decides: one that was
 * claimed first is in flight, and one that was cancelled first is not found by the claim.
 */
export async function cancelDelivery(tx: Connection, id: string): Promise<CancelResult> {
  const cancelled = await tx.orm.execute(sql`
    WITH moved AS (
      UPDATE deliveries SET status = 'cancelled', next_attempt_at = NULL, leased_by = NULL, finished_at = now()
      WHERE id = ${id} AND status = 'pending' AND (leased_by IS NULL OR next_attempt_at <= now())
      RETURNING id
    ),
    ${sql.raw(noteDeliveries("cancelled", "moved"))}
    SELECT id FROM moved`);
  const delivery = await getDelivery(tx, id);
  if (delivery === undefined) return { kind: "not_found" };
  if (cancelled.rowCount === 1) return { kind: "cancelled", delivery };
  return { kind: delivery.status === "pending" ? "in_flight" : "finished" };
}

export interface Replayed {
  deliveryId: string;
  targetId: string;
  /** Retried: there was one, which is due again. In flight: there was one, which is being attempted already. */
  result: "created" | "retried" | "in_flight";
}

/**
 * Makes deliveries of an event, or makes those that there are due again, each with a new deadline and its backoff from
 * the start. MUST run in a transaction that keeps their targets as they are.
 * @throws what a partition that is past retention raises: see partitions.ts.
 */
export async function replayTo(tx: Connection, wanted: readonly Omit<NewDelivery, "leased">[]): Promise<Replayed[]> {
  const column = (name: keyof (typeof wanted)[number], type: string) =>
    sql`${sql.param(wanted.map((one) => one[name]))}::${sql.raw(type)}[]`;
  // In the order of ids, so that two replays of one event wait for each other instead of deadlocking. In a transaction
  // now() stands still: what was made at now() was made here.
  const { rows } = await tx.orm.execute<{ id: string; is_new: boolean }>(sql`
    WITH before AS (
      SELECT id, status FROM deliveries WHERE id = ANY(${column("id", "uuid")}) ORDER BY id FOR UPDATE
    ),
    moved AS (
      INSERT INTO deliveries AS d (id, event_id, target_id, source_id, event_type, webhook_id, status, next_attempt_at,
        next_trigger, deadline_at)
      SELECT t.id, event_id, target_id, source_id, event_type, webhook_id, 'pending', now(), 'manual',
        now() + horizon_ms * interval '1 ms'
      FROM unnest(${column("id", "uuid")}, ${column("eventId", "uuid")}, ${column("targetId", "uuid")},
        ${column("sourceId", "uuid")}, ${column("eventType", "text")}, ${column("webhookId", "text")},
        ${column("horizonMs", "float8")})
        AS t(id, event_id, target_id, source_id, event_type, webhook_id, horizon_ms)
      LEFT JOIN before ON before.id = t.id
      ORDER BY t.id
      ON CONFLICT (id) DO UPDATE SET status = 'pending', next_attempt_at = now(), leased_by = NULL,
        next_trigger = 'manual', backoff_start = d.attempt_count, finished_at = NULL, deadline_at = excluded.deadline_at
      WHERE d.leased_by IS NULL OR d.next_attempt_at <= now()
      RETURNING d.id, d.created_at = now() AS is_new
    ),
    created AS (SELECT id FROM moved WHERE is_new),
    reopened AS (SELECT id FROM moved WHERE NOT is_new AND id IN (SELECT id FROM before WHERE status <> 'pending')),
    retried AS (SELECT id FROM moved WHERE NOT is_new AND id NOT IN (SELECT id FROM reopened)),
    ${sql.raw((["created", "reopened", "retried"] as const).map((change) => noteDeliveries(change, change)).join(", "))}
    SELECT id, is_new FROM moved`);
  const isNew = new Map(rows.map((row) => [row.id, row.is_new]));
  return wanted.map(({ id, targetId }) => {
    const made = isNew.get(id);
    return { deliveryId: id, targetId, result: made === undefined ? "in_flight" : made ? "created" : "retried" };
  });
}
