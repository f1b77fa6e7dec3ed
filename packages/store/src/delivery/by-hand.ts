// What people do to deliveries: cancel and retry them. None of it touches a delivery that a worker has in hand: the
// worker is attempting it, and is about to write its outcome. replay.ts replays events.

import { type SQL, sql } from "drizzle-orm";

import type { Connection } from "../connection/database.ts";
import { noteDeliveries } from "../journal/changes.ts";
import { anyOf, wholeDays, withinRange } from "../log/id-range.ts";
import { type DeliveryRecord, getDelivery } from "../log/records.ts";
import { deliveries, events } from "../schema.ts";
import { RELAY_SOURCE_ID } from "./relay-sources.ts";
import { keepBodies } from "./removed-bodies.ts";
import * as transitions from "./transitions.ts";

const IS_FREE = sql.raw(transitions.IS_FREE);
const SET_DUE = sql.raw(transitions.SET_DUE);
const NOTE_DUE = sql.raw(transitions.NOTE_DUE);

export type CancelResult =
  | { kind: "cancelled"; delivery: DeliveryRecord }
  | { kind: "in_flight" }
  | { kind: "finished" }
  | { kind: "not_found" };

/**
 * Cancels a delivery that waits for an attempt. When a worker claims it at the same moment, the row's lock decides: a
 * delivery that was claimed first is in flight, and the claim does not find a delivery that was cancelled first.
 */
export async function cancelDelivery(tx: Connection, id: string): Promise<CancelResult> {
  const cancelled = await tx.orm.execute(sql`
    WITH cancelled AS (
      UPDATE deliveries SET ${sql.raw(transitions.SET_CANCELLED)} WHERE id = ${id} AND status = 'pending' AND ${IS_FREE}
      RETURNING id
    ),
    ${sql.raw(noteDeliveries("cancelled", "cancelled"))}
    SELECT id FROM cancelled`);
  const delivery = await getDelivery(tx, id);
  if (delivery === undefined) return { kind: "not_found" };
  if (cancelled.rowCount === 1) return { kind: "cancelled", delivery };
  return { kind: delivery.status === "pending" ? "in_flight" : "finished" };
}

/**
 * Cancels the pending ones of these deliveries that match and that no worker has in hand.
 * @param matches a condition over the columns of `deliveries`.
 * @returns how many.
 */
export async function cancelMany(tx: Connection, ids: readonly string[], matches: SQL): Promise<number> {
  if (ids.length === 0) return 0;
  const { rowCount } = await tx.orm.execute(sql`
    WITH free AS (${selectFree(ids, sql`${matches} AND status = 'pending'`)}),
    ${sql.raw(transitions.cancelAll("free"))}
    SELECT id FROM cancelled`);
  return rowCount ?? 0;
}

export type RetryResult =
  | { kind: "due"; delivery: DeliveryRecord }
  | { kind: "in_flight" }
  | { kind: "target_gone" }
  /** There is nothing left to send. */
  | { kind: "body_removed" }
  | { kind: "not_found" };

/**
 * Makes a delivery in any state due now, with a new deadline, and starts its backoff again; not a delivery that a
 * worker has in hand. MUST run in a transaction.
 */
export async function retryDelivery(tx: Connection, id: string): Promise<RetryResult> {
  await keepBodies(tx);
  if ((await findWithoutBody(tx, [id])).size > 0) return { kind: "body_removed" };
  const held = await holdTargets(tx, [id]);
  // Without SKIP LOCKED: the caller asked for this delivery and waits to hear what happened to it.
  const free = sql`SELECT id, status FROM ${deliveries} WHERE id = ${id} AND ${IS_FREE} FOR UPDATE`;
  const due = await makeDue(tx, held, free);
  const delivery = await getDelivery(tx, id);
  if (delivery === undefined) return { kind: "not_found" };
  if (due.length === 1) return { kind: "due", delivery };
  return { kind: held.length === 0 ? "target_gone" : "in_flight" };
}

/**
 * Makes many deliveries due now, each as {@link retryDelivery} does. Leaves out those that a worker has in hand, those
 * that no longer match once they are locked, and those whose target or whose event's body is gone. MUST run in a transaction.
 * @param matches a condition over the columns of `deliveries`.
 * @returns the target id of each delivery that is due.
 */
export async function retryMany(tx: Connection, ids: readonly string[], matches: SQL): Promise<string[]> {
  await keepBodies(tx);
  const withoutBody = await findWithoutBody(tx, ids);
  const sendable = ids.filter((id) => !withoutBody.has(id));
  if (sendable.length === 0) return [];
  return makeDue(tx, await holdTargets(tx, sendable), selectFree(sendable, matches));
}

/** @returns those of the deliveries whose event has no body any more. */
async function findWithoutBody(tx: Connection, ids: readonly string[]): Promise<Set<string>> {
  if (ids.length === 0) return new Set();
  // A delivery's id begins with the milliseconds of its event's id, so that both are on one day.
  const range = wholeDays({ from: ids.toSorted()[0] ?? "", to: ids.toSorted().at(-1) ?? "" });
  const { rows } = await tx.orm.execute<{ id: string }>(sql`
    SELECT found.id FROM (SELECT id, event_id FROM ${deliveries} WHERE ${anyOf(deliveries.id, ids)} OFFSET 0) AS found
    WHERE EXISTS (
      SELECT FROM ${events} WHERE ${events.id} = found.event_id AND ${withinRange(events.id, range)}
        AND ${events.bodyRemovedAt} IS NOT NULL)`);
  return new Set(rows.map((row) => row.id));
}

/**
 * Keeps the targets of deliveries from being deleted until the transaction ends, so that a later deletion finds what
 * became due and cancels it. MUST come before any delivery is locked, and in the order of ids: `removeTarget` locks the
 * target first and its deliveries second, and another order here could deadlock.
 * @returns the ids of the targets that exist.
 */
async function holdTargets(tx: Connection, deliveryIds: readonly string[]): Promise<string[]> {
  const { rows } = await tx.orm.execute<{ id: string }>(sql`
    SELECT id FROM targets WHERE id IN (SELECT target_id FROM ${deliveries} WHERE ${anyOf(deliveries.id, deliveryIds)})
    ORDER BY id FOR KEY SHARE`);
  return rows.map((row) => row.id);
}

/**
 * Makes the deliveries due whose targets are held.
 * @param free a SELECT of `id` and `status` that locks deliveries.
 * @returns the target id of each delivery that is due.
 */
async function makeDue(tx: Connection, held: readonly string[], free: SQL): Promise<string[]> {
  // The deadline of a test is now, so that its next attempt is its last.
  const { rows } = await tx.orm.execute<{ target_id: string }>(sql`
    WITH target AS (SELECT id, retry_horizon_seconds FROM targets WHERE id = ANY(${sql.param(held)}::uuid[])),
    free AS (${free}),
    due AS (
      UPDATE deliveries d SET ${SET_DUE}, deadline_at = now() + interval '1 s' *
        CASE WHEN d.source_id = ${RELAY_SOURCE_ID} THEN 0 ELSE target.retry_horizon_seconds END
      FROM target, free WHERE d.id = free.id AND d.target_id = target.id
      RETURNING d.id, d.target_id, free.status
    ),
    ${NOTE_DUE}
    SELECT target_id FROM due`);
  return rows.map((row) => row.target_id);
}

/**
 * SKIP LOCKED: a row that is locked is being claimed or recorded. The statement waits for nobody and cannot deadlock.
 */
const selectFree = (ids: readonly string[], matches: SQL) => sql`
  SELECT id, status FROM ${deliveries} WHERE ${anyOf(deliveries.id, ids)} AND ${matches} AND ${IS_FREE}
  FOR UPDATE SKIP LOCKED`;
