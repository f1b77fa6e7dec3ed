// Deliveries that a target has pulled. A pull is to its deliveries what a worker is to those that it has in hand: its id is
// in `leased_by`, and a lease that runs out makes a delivery due. What the target reports is recorded as every attempt is.

import type pg from "pg";

import { idFloor, idRest, idTime, newId } from "@sluice/shared/domain/ids";

import { type Database, withClient } from "../connection/database.ts";
import { withPartitions } from "../connection/partitions.ts";
import { inIdRange } from "../log/id-range.ts";
import type { DeliveryStatus } from "../schema.ts";
import {
  attemptedColumns,
  type AttemptedDelivery,
  type AttemptedRow,
  type AttemptRecord,
  readAttempted,
  recordAttempts,
} from "./deliveries.ts";

/** A delivery, and the id of the pull that gave it out. */
export interface Pulled {
  deliveryId: string;
  pullId: string;
}

export interface PulledState {
  status: DeliveryStatus;
  /** Null when the delivery is finished. */
  nextAttemptAt: Date | null;
  /** Whether the delivery is in the hands of somebody else now, so that a failure did not change it. */
  isLost: boolean;
}

// FOR UPDATE: two reports of one attempt at the same time wait for each other, so that the second finds the attempt of the
// first. LATERAL: see RECORD in deliveries.ts.
const REPORTED = `
SELECT ${attemptedColumns("e")}, d.status, d.leased_by
FROM deliveries d LEFT JOIN LATERAL (
  SELECT content_type, content_encoding, body_unbound, trace_context FROM events WHERE events.id = d.event_id LIMIT 1
) e ON true
WHERE d.id = ANY($1::uuid[]) AND ${inIdRange("$1::uuid[]", "d.id")} AND d.target_id = $2
ORDER BY d.id FOR UPDATE OF d`;

interface ReportedRow extends AttemptedRow {
  status: DeliveryStatus;
  leased_by: string | null;
}

/**
 * Records an attempt for each of these deliveries of a target, as RECORD does. An attempt that is recorded already changes
 * nothing.
 * @param make makes the attempt. The part of its id after the time MUST follow from the delivery and the pull.
 * @param restOf that part of the id.
 * @returns what became of each, in the order of `reported`; undefined for what is no delivery of the target.
 */
export async function recordPulled(
  db: Database,
  targetId: string,
  reported: readonly Pulled[],
  restOf: (pulled: Pulled) => string,
  make: (delivery: AttemptedDelivery, index: number) => AttemptRecord,
): Promise<(PulledState | undefined)[]> {
  const ids = [...new Set(reported.map(({ deliveryId }) => deliveryId))].toSorted();
  const pullIds = reported.map(({ pullId }) => pullId);
  // The id of an attempt has the time of its start, which is after the pull.
  const from = idFloor(Math.min(...pullIds.map(idTime)));
  return withPartitions(db, [...pullIds, newId()], () =>
    inPreparedTransaction(db, async (client) => {
      const values = [ids, targetId];
      const { rows } = await client.query<ReportedRow>({ name: "reported", text: REPORTED, values });
      const found = new Map(rows.map((row) => [row.id, row]));
      // After the locks: a statement that waits for a lock does not see what was recorded meanwhile.
      const known = await listRestsOfAttempts(client, ids, from);
      const fresh = reported.flatMap((pulled, index) => {
        const row = found.get(pulled.deliveryId);
        if (row === undefined || known.has(restOf(pulled))) return [];
        return [{ pullId: pulled.pullId, attempt: make(readAttempted(row), index) }];
      });
      // RECORD writes attempts of one holder of leases.
      for (const [pullId, group] of Map.groupBy(fresh, (one) => one.pullId)) {
        const attempts = group.map(({ attempt }) => attempt);
        await recordAttempts({ pool: client }, attempts, pullId);
      }
      const states = await readStates(client, ids);
      return reported.map((pulled) => {
        const [before, after] = [found.get(pulled.deliveryId), states.get(pulled.deliveryId)];
        if (before === undefined || after === undefined) return undefined;
        const isHeld = before.leased_by === pulled.pullId && before.status === "pending";
        const isDone = after.status === "succeeded" || known.has(restOf(pulled));
        return { status: after.status, nextAttemptAt: after.next_attempt_at, isLost: !isHeld && !isDone };
      });
    }),
  );
}

/** Not by Drizzle, which prepares nothing: PostgreSQL would plan RECORD, over a month of partitions, each time. */
async function inPreparedTransaction<T>(db: Database, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  // An error closes the connection, and so ends the transaction.
  return withClient(db, async (client) => {
    await client.query("BEGIN");
    const result = await work(client);
    await client.query("COMMIT");
    return result;
  });
}

async function listRestsOfAttempts(
  client: pg.PoolClient,
  deliveryIds: readonly string[],
  from: string,
): Promise<Set<string>> {
  const { rows } = await client.query<{ id: string }>({
    name: "attempts-of-reported",
    text: "SELECT id FROM attempts WHERE delivery_id = ANY($1::uuid[]) AND id >= $2",
    values: [deliveryIds, from],
  });
  return new Set(rows.map(({ id }) => idRest(id)));
}

interface StateRow extends Record<string, unknown> {
  id: string;
  status: DeliveryStatus;
  next_attempt_at: Date | null;
}

async function readStates(client: pg.PoolClient, ids: readonly string[]): Promise<Map<string, StateRow>> {
  const { rows } = await client.query<StateRow>({
    name: "states-of-reported",
    text: `SELECT id, status, next_attempt_at FROM deliveries WHERE id = ANY($1::uuid[]) AND ${inIdRange("$1::uuid[]")}`,
    values: [ids],
  });
  return new Map(rows.map((row) => [row.id, row]));
}

/**
 * Extends the leases of deliveries that nobody else has taken meanwhile, also of those whose lease ran out.
 * @returns the ends of the leases, in the order of `pulled`; undefined for a delivery that the pull has no more.
 */
export async function extendPulled(
  db: Database,
  targetId: string,
  pulled: readonly Pulled[],
  durationMs: number,
): Promise<(Date | undefined)[]> {
  const sorted = pulled.toSorted((one, other) => (one.deliveryId < other.deliveryId ? -1 : 1));
  const { rows } = await db.pool.query<{ id: string; leased_by: string; next_attempt_at: Date }>({
    name: "extend-pulled",
    text: `UPDATE deliveries SET next_attempt_at = now() + $3::float8 * interval '1 ms'
           WHERE id = ANY($1::uuid[]) AND ${inIdRange("$1::uuid[]")} AND target_id = $4 AND (status = 'pending') IS TRUE
             AND leased_by = ($2::uuid[])[width_bucket(id, $1::uuid[])]
           RETURNING id, leased_by, next_attempt_at`,
    values: [sorted.map(({ deliveryId }) => deliveryId), sorted.map(({ pullId }) => pullId), durationMs, targetId],
  });
  const ends = new Map(rows.map((row) => [row.id + row.leased_by, row.next_attempt_at]));
  return pulled.map(({ deliveryId, pullId }) => ends.get(deliveryId + pullId));
}

/** How many deliveries of a target are due and in nobody's hands; at most `limit`. */
export async function countDue(db: Database, targetId: string, limit: number): Promise<number> {
  const { rows } = await db.pool.query<{ count: number }>({
    name: "count-due",
    text: `SELECT count(*)::int AS count FROM (
             SELECT FROM deliveries WHERE target_id = $1 AND next_attempt_at <= now() LIMIT $2) AS due`,
    values: [targetId, limit],
  });
  return rows[0]?.count ?? 0;
}

/**
 * Which of these targets are enabled and have a delivery that is due.
 * @param from looks only at deliveries with ids from here on, so that PostgreSQL reads only the newest partitions.
 */
export async function findDueOf(db: Database, targetIds: readonly string[], from: string): Promise<string[]> {
  const { rows } = await db.pool.query<{ id: string }>({
    name: "due-of-targets",
    text: `SELECT w.id FROM unnest($1::uuid[]) AS w(id)
           WHERE (SELECT t.state = 'enabled' FROM targets t WHERE t.id = w.id) AND coalesce((
             SELECT d.next_attempt_at FROM deliveries d
             WHERE d.target_id = w.id AND d.next_attempt_at IS NOT NULL AND d.id >= $2
             ORDER BY d.next_attempt_at LIMIT 1) <= now(), false)`,
    values: [targetIds, from],
  });
  return rows.map(({ id }) => id);
}
