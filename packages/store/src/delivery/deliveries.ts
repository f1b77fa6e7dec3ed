// Deliveries as a worker moves them: it claims them under a lease, renews the lease while it has them in hand, and
// writes their attempts and new states. PostgreSQL's clock decides what is due, so that workers whose clocks differ
// agree.

import type pg from "pg";

import { binaryArray } from "../connection/binary-array.ts";
import type { Database } from "../connection/database.ts";
import { noteDeliveries } from "../journal/changes.ts";
import { inIdRange } from "../log/id-range.ts";
import type { AttemptTrigger } from "../schema.ts";
import { withoutContent } from "./attempt-details.ts";

/** A delivery, with what an attempt needs to know of the event that it carries. */
export interface AttemptedDelivery {
  id: string;
  eventId: string;
  targetId: string;
  eventType: string | null;
  webhookId: string;
  contentType: string | null;
  contentEncoding: string | null;
  /** Whether the signature of the event proves its sender and does not cover its body. */
  bodyUnbound: boolean;
  /** Of an event that continues its caller's trace; null for one whose trace follows from its id. */
  traceContext: string | null;
  /** The number of attempts so far. */
  attemptCount: number;
  /** The number of attempts since the delivery was made or retried by hand. All of these failed. */
  failureCount: number;
  trigger: AttemptTrigger;
  /** From the claim to the deadline; negative when the deadline is past. */
  deadlineInMs: number;
}

/** A delivery that a worker has in hand, with the body of its event. */
export interface ClaimedDelivery extends AttemptedDelivery {
  body: Buffer;
}

export interface Lease {
  workerId: string;
  durationMs: number;
}

/** SQL: the columns of an {@link AttemptedRow}, of the delivery `d` and of its event. */
export const attemptedColumns = (event: string) =>
  `d.id, d.event_id, d.target_id, d.event_type, d.webhook_id, d.attempt_count, d.attempt_count - d.backoff_start AS failure_count,
  d.next_trigger, extract(epoch FROM d.deadline_at - now()) * 1000 AS deadline_in_ms, ${event}.content_type, ${event}.content_encoding,
  ${event}.body_unbound, ${event}.trace_context`;

const claimedColumns = (event: string) => `${attemptedColumns(event)}, ${event}.body`;

// SKIP LOCKED: workers that claim for one target at the same time share its due deliveries. EXISTS: the worker may not
// know yet that the target was deleted, while its backlog is still being cancelled.
const CLAIM = `
WITH due AS (
  SELECT id, event_id, next_attempt_at FROM deliveries
  WHERE target_id = $1 AND next_attempt_at <= now() AND EXISTS (SELECT FROM targets WHERE id = $1)
  ORDER BY next_attempt_at LIMIT $2
  FOR UPDATE SKIP LOCKED
),
sized AS (
  SELECT due.id, events.content_type, events.content_encoding, events.body_unbound, events.trace_context,
    events.body,
    sum(octet_length(events.body)) OVER (ORDER BY due.next_attempt_at, due.id) - octet_length(events.body) AS bytes_before
  FROM due JOIN events ON events.id = due.event_id
)
UPDATE deliveries d SET next_attempt_at = now() + $3::float8 * interval '1 ms', leased_by = $4
FROM sized WHERE d.id = sized.id AND sized.bytes_before < $5::bigint
RETURNING ${claimedColumns("sized")}`;

const CLAIM_ONE = `
UPDATE deliveries d SET next_attempt_at = now() + $2::float8 * interval '1 ms', leased_by = $3
FROM events WHERE d.id = $1 AND d.next_attempt_at <= now() AND events.id = d.event_id
RETURNING ${claimedColumns("events")}`;

export interface AttemptedRow {
  id: string;
  event_id: string;
  target_id: string;
  event_type: string | null;
  webhook_id: string;
  attempt_count: number;
  failure_count: number;
  next_trigger: AttemptTrigger;
  deadline_in_ms: string;
  content_type: string | null;
  content_encoding: string | null;
  /** Null when the event is gone. */
  body_unbound: boolean | null;
  trace_context: string | null;
}

interface ClaimedRow extends AttemptedRow {
  body: Buffer;
}

/**
 * Claims up to `limit` deliveries that are due for a target, the longest due first, and stops once their bodies have
 * `maxBytes` or more together. The last one may pass that limit, so that a body of any size can be claimed.
 */
export async function claimDue(
  db: Database,
  targetId: string,
  limit: number,
  lease: Lease,
  maxBytes: number = Number.MAX_SAFE_INTEGER,
): Promise<ClaimedDelivery[]> {
  const { rows } = await db.pool.query<ClaimedRow>({
    name: "claim-due",
    text: CLAIM,
    values: [targetId, limit, lease.durationMs, lease.workerId, maxBytes],
  });
  return rows.map(readClaimed);
}

/** Claims one delivery if it is due and in nobody's hands. */
export async function claimOne(db: Database, id: string, lease: Lease): Promise<ClaimedDelivery | undefined> {
  const { rows } = await db.pool.query<ClaimedRow>({
    name: "claim-one",
    text: CLAIM_ONE,
    values: [id, lease.durationMs, lease.workerId],
  });
  return rows.map(readClaimed)[0];
}

const readClaimed = (row: ClaimedRow): ClaimedDelivery => ({ ...readAttempted(row), body: row.body });

export function readAttempted(row: AttemptedRow): AttemptedDelivery {
  return {
    id: row.id,
    eventId: row.event_id,
    targetId: row.target_id,
    eventType: row.event_type,
    webhookId: row.webhook_id,
    contentType: row.content_type,
    contentEncoding: row.content_encoding,
    bodyUnbound: row.body_unbound === true,
    traceContext: row.trace_context,
    attemptCount: row.attempt_count,
    failureCount: row.failure_count,
    trigger: row.next_trigger,
    deadlineInMs: Number(row.deadline_in_ms),
  };
}

/** Extends the leases of deliveries that the worker still has in hand. */
export async function renewLeases(db: Database, ids: readonly string[], lease: Lease): Promise<void> {
  await db.pool.query({
    name: "renew-leases",
    text: `UPDATE deliveries SET next_attempt_at = now() + $2::float8 * interval '1 ms'
           WHERE id = ANY($1::uuid[]) AND ${inIdRange("$1::uuid[]")} AND leased_by = $3`,
    values: [ids.toSorted(), lease.durationMs, lease.workerId],
  });
}

/**
 * Makes deliveries of a target due at once that the worker leased and does not have in hand: PostgreSQL may have made a
 * claim whose answer was lost.
 * @param sinceMs how long ago the claim failed. What was leased after it stays.
 */
export async function freeUnheld(
  db: Database,
  targetId: string,
  heldIds: readonly string[],
  { workerId, durationMs }: Lease,
  sinceMs: number,
): Promise<void> {
  await db.pool.query({
    name: "free-unheld",
    text: `UPDATE deliveries SET next_attempt_at = now(), leased_by = NULL
           WHERE target_id = $1 AND leased_by = $2 AND id <> ALL($3::uuid[])
             AND next_attempt_at > now() AND next_attempt_at <= now() + $4::float8 * interval '1 ms'`,
    values: [targetId, workerId, heldIds, durationMs - sinceMs],
  });
}

/** Makes deliveries that the worker had in hand and did not attempt due at once for another worker. */
export async function handBack(db: Database, ids: readonly string[], workerId: string): Promise<void> {
  await db.pool.query({
    name: "hand-back",
    text: `UPDATE deliveries SET next_attempt_at = now(), leased_by = NULL
           WHERE id = ANY($1::uuid[]) AND ${inIdRange("$1::uuid[]")} AND leased_by = $2`,
    values: [ids.toSorted(), workerId],
  });
}

/** One attempt, and the state of its delivery after it. */
export interface AttemptRecord {
  id: string;
  deliveryId: string;
  number: number;
  trigger: AttemptTrigger;
  startedAtMs: number;
  durationMs: number;
  statusCode: number | null;
  error: string | null;
  responseExcerpt: string | null;
  /** See attempt-details.ts. Null when they could not be recorded. */
  details: string | null;
  next: { status: "succeeded" | "exhausted" } | { status: "pending"; retryInMs: number };
}

/**
 * SQL: the value that a list has for the delivery that an UPDATE is at. Each list is in the order of the ids of the
 * deliveries, `$2`, which are sorted.
 */
const valueFor = (list: string) => `(${list})[width_bucket(id, $2::uuid[])]`;

// A success always finishes a pending delivery, because the target has the event. A failure changes the delivery only
// while this worker still holds the lease; otherwise it would end the attempt of another worker that has the delivery
// now. An attempt that is in the log already was written by an earlier run of this statement whose answer was lost:
// that run changed the delivery too, and somebody may have retried it by hand since.
//
// A delivery that was cancelled during its attempt may be one of an event that was erased: the excerpt is left out, because the
// target may have answered with what it got.
//
// "IS TRUE" hides the status from the planner, which would otherwise read every pending delivery through the index of
// the status and not look up a few ids.
//
// MUST NOT join anything to the deliveries: PostgreSQL plans the statement once, when a partition may still be empty,
// and for a join that plan reads all deliveries from the lowest id to the highest and compares each with each. LIMIT
// keeps the planner from turning the sub-select into a join.
const RECORD = `
WITH input AS (
  SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::text[], $5::timestamptz[], $6::float8[], $7::int[], $8::text[],
    $9::text[], $13::text[])
    AS t(id, delivery_id, number, trigger, started_at, duration_ms, status_code, error, response_excerpt, details)
),
logged AS (
  INSERT INTO attempts (id, delivery_id, number, trigger, started_at, duration_ms, status_code, error, response_excerpt,
    details, target_id, source_id, event_type)
  SELECT i.id, i.delivery_id, i.number, i.trigger, i.started_at, i.duration_ms, i.status_code, i.error,
    CASE WHEN d.status IS DISTINCT FROM 'cancelled' THEN i.response_excerpt END,
    CASE WHEN d.status IS DISTINCT FROM 'cancelled' THEN i.details ELSE ${withoutContent("i.details")} END,
    d.target_id, d.source_id, d.event_type
  FROM input i LEFT JOIN LATERAL (
    SELECT target_id, source_id, event_type, status FROM deliveries WHERE id = i.delivery_id AND ${inIdRange("$2::uuid[]")} LIMIT 1
  ) d ON true
  ON CONFLICT DO NOTHING
  RETURNING id
),
moved AS (
  UPDATE deliveries SET
    status = ${valueFor("$10::text[]")},
    attempt_count = greatest(attempt_count, ${valueFor("$3::int[]")}),
    next_attempt_at = now() + ${valueFor("$11::float8[]")} * interval '1 ms',
    leased_by = NULL,
    next_trigger = 'retry',
    last_status_code = ${valueFor("$7::int[]")},
    last_error = ${valueFor("$8::text[]")},
    finished_at = CASE WHEN ${valueFor("$10::text[]")} <> 'pending' THEN now() END
  WHERE id = ANY($2::uuid[]) AND ${inIdRange("$2::uuid[]")} AND (${valueFor("$1::uuid[]")} IN (SELECT id FROM logged)) IS TRUE
    AND (status = 'pending') IS TRUE AND (${valueFor("$10::text[]")} = 'succeeded' OR leased_by = $12)
  RETURNING id, status
)
INSERT INTO changes (attempt_ids, succeeded_ids, exhausted_ids)
SELECT array_agg(id), (SELECT array_agg(id) FROM moved WHERE status = 'succeeded'),
  (SELECT array_agg(id) FROM moved WHERE status = 'exhausted')
FROM logged HAVING count(*) > 0`;

/**
 * Writes attempts and the new states of their deliveries in one statement. The same attempts again change nothing.
 * @param db a database, or one connection of it in a transaction. The statement is prepared: to plan it takes longer than to
 * run it.
 */
export async function recordAttempts(
  db: { pool: Pick<pg.ClientBase, "query"> },
  attempts: readonly AttemptRecord[],
  workerId: string,
): Promise<void> {
  const sorted = attempts.toSorted((one, other) => (one.deliveryId < other.deliveryId ? -1 : 1));
  await db.pool.query({
    name: "record-attempts",
    text: RECORD,
    values: [
      binaryArray("uuid", sorted, (attempt) => attempt.id),
      binaryArray("uuid", sorted, (attempt) => attempt.deliveryId),
      binaryArray("int4", sorted, (attempt) => attempt.number),
      binaryArray("text", sorted, (attempt) => attempt.trigger),
      binaryArray("timestamptz", sorted, (attempt) => attempt.startedAtMs),
      binaryArray("float8", sorted, (attempt) => attempt.durationMs),
      binaryArray("int4", sorted, (attempt) => attempt.statusCode),
      binaryArray("text", sorted, (attempt) => attempt.error),
      binaryArray("text", sorted, (attempt) => attempt.responseExcerpt),
      binaryArray("text", sorted, (attempt) => attempt.next.status),
      binaryArray("float8", sorted, ({ next }) => (next.status === "pending" ? next.retryInMs : null)),
      workerId,
      binaryArray("text", sorted, (attempt) => attempt.details),
    ],
  });
}

/**
 * Moves the delivery of an attempt that cannot be recorded, so that the delivery is not attempted for ever. The log lacks
 * the attempt, and `last_error` says so.
 */
export async function moveUnrecorded(db: Database, attempt: AttemptRecord, workerId: string): Promise<void> {
  const { status } = attempt.next;
  await db.pool.query({
    name: "move-unrecorded",
    text: `WITH moved AS (
             UPDATE deliveries SET status = $2, attempt_count = least(attempt_count::bigint + 1, 2147483647)::int,
               next_attempt_at = CASE WHEN $2 = 'pending' THEN now() + $3::float8 * interval '1 ms' END,
               leased_by = NULL, next_trigger = 'retry', last_error = $4,
               finished_at = CASE WHEN $2 <> 'pending' THEN now() END
             WHERE id = $1 AND status = 'pending' AND leased_by = $5
             RETURNING id
           )
           INSERT INTO changes (succeeded_ids, exhausted_ids)
           SELECT array_agg(id) FILTER (WHERE $2 = 'succeeded'), array_agg(id) FILTER (WHERE $2 = 'exhausted')
           FROM moved HAVING count(*) > 0 AND $2 <> 'pending'`,
    values: [
      attempt.deliveryId,
      status,
      attempt.next.status === "pending" ? attempt.next.retryInMs : null,
      attempt.error,
      workerId,
    ],
  });
}

/**
 * SQL: whether a target has a delivery that is due. Reads the first entry of the target's index. EXISTS would be slow:
 * the planner turns it into a join, which reads the pending deliveries of all targets once for each target.
 */
export const hasDue = (targetId: string) => `coalesce((
  SELECT d.next_attempt_at FROM deliveries d WHERE d.target_id = ${targetId} AND d.next_attempt_at IS NOT NULL
  ORDER BY d.next_attempt_at LIMIT 1) <= now(), false)`;

/**
 * Exhausts the deliveries behind open breakers that were attempted and whose deadline passed a minute ago. In that
 * minute each could have been the probe. A delivery that was never attempted keeps waiting for its attempt.
 * @returns how many, at most `limit`.
 */
export async function exhaustOverdue(db: Database, limit: number): Promise<number> {
  const { rows } = await db.pool.query<{ count: number }>({
    name: "exhaust-overdue",
    // What is due is in nobody's hands: a worker that died leaves `leased_by`, and its lease has run out by then.
    // ORDER BY makes it walk the index `deliveries_overdue`, which leaves out the deliveries that were never attempted:
    // there can be a million of them behind an open breaker.
    text: `WITH overdue AS (
             SELECT d.id FROM target_health h
             JOIN targets t ON t.id = h.target_id AND t.state = 'enabled'
             CROSS JOIN LATERAL (
               SELECT id FROM deliveries
               WHERE target_id = h.target_id AND next_attempt_at <= now()
                 AND deadline_at <= now() - interval '1 minute' AND attempt_count > backoff_start
               ORDER BY deadline_at LIMIT $1 FOR UPDATE SKIP LOCKED
             ) d
             WHERE h.openings > 0 LIMIT $1
           ),
           moved AS (
             UPDATE deliveries SET status = 'exhausted', next_attempt_at = NULL, leased_by = NULL, finished_at = now(),
               last_error = 'breaker: at the deadline the target was not tried, because its circuit breaker was open'
                 || coalesce('; before: ' || last_error, '')
             FROM overdue WHERE deliveries.id = overdue.id
             RETURNING deliveries.id
           ),
           ${noteDeliveries("exhausted", "moved")}
           SELECT count(*)::int AS count FROM moved`,
    values: [limit],
  });
  return rows[0]?.count ?? 0;
}
