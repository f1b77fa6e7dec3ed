// What people do to deliveries: retry them, cancel them, and send an event again. None of it touches a delivery that a
// worker has in hand: it is being attempted, and its outcome is about to be written.

import { type SQL, sql } from "drizzle-orm";

import { noteDeliveries } from "../journal/changes.ts";
import type { Connection } from "../connection/database.ts";
import type { NewDelivery } from "./store-events.ts";
import { deliveries } from "../schema.ts";
import { anyOf, type DeliveryRecord, getDelivery } from "../log/records.ts";
import { RELAY_SOURCE_ID } from "./relay-event.ts";

const CANCELLED = sql.raw("status = 'cancelled', next_attempt_at = NULL, leased_by = NULL, finished_at = now()");
const DUE = sql.raw(
  "status = 'pending', next_attempt_at = now(), leased_by = NULL, next_trigger = 'manual', " +
    "backoff_start = d.attempt_count, finished_at = NULL",
);
/** In nobody's hands: in a lease that ran out there is nobody's. */
const IS_FREE = sql.raw("(leased_by IS NULL OR next_attempt_at <= now())");
/** Parts of a WITH that note what became of `due`, which has the status of before. */
const NOTE_DUE = sql.raw(`
  retried AS (SELECT id FROM due WHERE status = 'pending'),
  reopened AS (SELECT id FROM due WHERE status <> 'pending'),
  ${noteDeliveries("retried", "retried")},
  ${noteDeliveries("reopened", "reopened")}`);

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
      UPDATE deliveries SET ${CANCELLED} WHERE id = ${id} AND status = 'pending' AND ${IS_FREE}
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
  // What is locked is being claimed or recorded, and so in somebody's hands: nobody is waited for, and no deadlock comes
  // of it. Inserts of two replays of one event are in one order.
  const { rows } = await tx.orm.execute<{ id: string; is_new: boolean }>(sql`
    WITH wanted AS (
      SELECT * FROM unnest(${column("id", "uuid")}, ${column("eventId", "uuid")}, ${column("targetId", "uuid")},
        ${column("sourceId", "uuid")}, ${column("eventType", "text")}, ${column("webhookId", "text")},
        ${column("horizonMs", "float8")})
        AS t(id, event_id, target_id, source_id, event_type, webhook_id, horizon_ms)
    ),
    free AS (
      SELECT id, status FROM deliveries
      WHERE id = ANY(${column("id", "uuid")}) AND ${IS_FREE}
      FOR UPDATE SKIP LOCKED
    ),
    due AS (
      UPDATE deliveries d SET ${DUE}, deadline_at = now() + horizon_ms * interval '1 ms'
      FROM wanted, free WHERE d.id = free.id AND wanted.id = free.id
      RETURNING d.id, free.status
    ),
    created AS (
      INSERT INTO deliveries (id, event_id, target_id, source_id, event_type, webhook_id, status, next_attempt_at,
        next_trigger, deadline_at)
      SELECT id, event_id, target_id, source_id, event_type, webhook_id, 'pending', now(), 'manual',
        now() + horizon_ms * interval '1 ms'
      FROM wanted WHERE id NOT IN (SELECT id FROM deliveries WHERE id = ANY(${column("id", "uuid")}))
      ORDER BY id
      ON CONFLICT DO NOTHING
      RETURNING id
    ),
    ${NOTE_DUE},
    ${sql.raw(noteDeliveries("created", "created"))}
    SELECT id, true AS is_new FROM created UNION ALL SELECT id, false FROM due`);
  const isNew = new Map(rows.map((row) => [row.id, row.is_new]));
  return wanted.map(({ id, targetId }) => {
    const made = isNew.get(id);
    return { deliveryId: id, targetId, result: made === undefined ? "in_flight" : made ? "created" : "retried" };
  });
}

export type RetryResult =
  | { kind: "due"; delivery: DeliveryRecord }
  | { kind: "in_flight" }
  | { kind: "target_gone" }
  | { kind: "not_found" };

/**
 * Makes a delivery due now, whatever its state, with a new deadline and its backoff from the start; not one that a
 * worker has in hand. MUST run in a transaction.
 */
export async function retryDelivery(tx: Connection, id: string): Promise<RetryResult> {
  const held = await holdTargets(tx, [id]);
  // One that is locked is waited for: who asked for this one is to hear what became of it.
  const free = sql`SELECT id, status FROM ${deliveries} WHERE id = ${id} AND ${IS_FREE} FOR UPDATE`;
  const due = await makeDue(tx, held, free);
  const delivery = await getDelivery(tx, id);
  if (delivery === undefined) return { kind: "not_found" };
  if (due.length === 1) return { kind: "due", delivery };
  return { kind: held.length === 0 ? "target_gone" : "in_flight" };
}

/**
 * Makes many deliveries due now, as one is; not those that a worker has in hand, that no longer match under their locks,
 * or whose target is gone. MUST run in a transaction.
 * @param matches over the columns of `deliveries`.
 * @returns the target of each that is due.
 */
export async function retryMany(tx: Connection, ids: readonly string[], matches: SQL): Promise<string[]> {
  if (ids.length === 0) return [];
  return makeDue(tx, await holdTargets(tx, ids), selectFree(ids, matches));
}

/**
 * Keeps the targets of deliveries from being deleted: what becomes due is then there to be cancelled with its target.
 * Before any delivery is locked, and in one order: whoever deletes a target locks it first, and its deliveries then.
 * @returns those that there are.
 */
async function holdTargets(tx: Connection, deliveryIds: readonly string[]): Promise<string[]> {
  const { rows } = await tx.orm.execute<{ id: string }>(sql`
    SELECT id FROM targets WHERE id IN (SELECT target_id FROM ${deliveries} WHERE ${anyOf(deliveries.id, deliveryIds)})
    ORDER BY id FOR KEY SHARE`);
  return rows.map((row) => row.id);
}

/** @param free locks deliveries. @returns the target of each that is due: of those, the ones whose target is held. */
async function makeDue(tx: Connection, held: readonly string[], free: SQL): Promise<string[]> {
  // A test is attempted once.
  const { rows } = await tx.orm.execute<{ target_id: string }>(sql`
    WITH target AS (SELECT id, retry_horizon_seconds FROM targets WHERE id = ANY(${sql.param(held)}::uuid[])),
    free AS (${free}),
    due AS (
      UPDATE deliveries d SET ${DUE}, deadline_at = now() + interval '1 s' *
        CASE WHEN d.source_id = ${RELAY_SOURCE_ID} THEN 0 ELSE target.retry_horizon_seconds END
      FROM target, free WHERE d.id = free.id AND d.target_id = target.id
      RETURNING d.id, d.target_id, free.status
    ),
    ${NOTE_DUE}
    SELECT target_id FROM due`);
  return rows.map((row) => row.target_id);
}

/** Cancels many; the parameters as above. Of those that match, the pending ones are. @returns how many. */
export async function cancelMany(tx: Connection, ids: readonly string[], matches: SQL): Promise<number> {
  if (ids.length === 0) return 0;
  const { rowCount } = await tx.orm.execute(sql`
    WITH free AS (${selectFree(ids, sql`${matches} AND status = 'pending'`)}),
    moved AS (UPDATE deliveries d SET ${CANCELLED} FROM free WHERE d.id = free.id RETURNING d.id),
    ${sql.raw(noteDeliveries("cancelled", "moved"))}
    SELECT id FROM moved`);
  return rowCount ?? 0;
}

/** What is locked is being claimed or recorded: nobody is waited for, and no deadlock comes of it. */
const selectFree = (ids: readonly string[], matches: SQL) => sql`
  SELECT id, status FROM ${deliveries} WHERE ${anyOf(deliveries.id, ids)} AND ${matches} AND ${IS_FREE}
  FOR UPDATE SKIP LOCKED`;
