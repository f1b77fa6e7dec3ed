// The journal of what was written to the log, which the live tail reads and the figures are counted of. Every statement
// that stores events, records attempts or moves deliveries into or out of a final state MUST write it itself: what was
// committed is then in it, once, and what was not is not.

import { type Database, hasSqlState } from "../connection/database.ts";

/** What a reader may have missed when it comes back; the journal is kept for a while longer. */
const READABLE_HOURS = 23;
/** What PostgreSQL raises for a text that is no snapshot. */
const INVALID_TEXT = "22P02";
const OUT_OF_RANGE = "22003";
/** Of one row, so that a target with a million deliveries that is deleted makes no row of sixteen megabytes. */
const MAX_IDS = 500;

const DELIVERY_CHANGES = ["created", "succeeded", "exhausted", "cancelled", "retried", "reopened"] as const;
/** What becomes of a delivery. One that was `reopened` by a retry had been finished; one that was `retried` had not. */
export type DeliveryChange = (typeof DELIVERY_CHANGES)[number];

/**
 * A part of a statement's WITH that writes what the statement did.
 * @param from the part before it that returns the `id` of each delivery.
 */
export function noteDeliveries(change: DeliveryChange, from: string): string {
  return `noted_${change} AS (
    INSERT INTO changes (${change}_ids)
    SELECT array_agg(id) FROM (SELECT id, (row_number() OVER () - 1) / ${MAX_IDS} AS part FROM ${from}) AS parts GROUP BY part
  )`;
}

/**
 * Up to where somebody has read the journal. A snapshot says it exactly: what it does not see is new, however late it was
 * committed. Within a part of the journal that took several reads, also up to which row of it.
 */
export interface JournalPosition {
  /** When it was taken, in milliseconds. */
  takenAtMs: number;
  /** As PostgreSQL writes a snapshot. What it sees has been read. */
  from: string;
  /** What it sees is being read, and has been read up to this row. */
  within?: { to: string; xid: string; id: string };
}

const SNAPSHOT = String.raw`\d{1,20}:\d{1,20}:(?:\d{1,20}(?:,\d{1,20})*)?`;
const POSITION = new RegExp(String.raw`^(\d{1,15})_(${SNAPSHOT})(?:_(${SNAPSHOT})_(\d{1,20})_(\d{1,18}))?$`);

export function writePosition({ takenAtMs, from, within }: JournalPosition): string {
  const parts = [Math.floor(takenAtMs), from, ...(within === undefined ? [] : [within.to, within.xid, within.id])];
  return parts.join("_");
}

/** @returns undefined for a text that is no position. One that is may still be none of this database. */
export function parsePosition(text: string): JournalPosition | undefined {
  const [, takenAt = "", from = "", to, xid = "", id = ""] = POSITION.exec(text) ?? [];
  if (from === "") return undefined;
  return { takenAtMs: Number(takenAt), from, ...(to === undefined ? {} : { within: { to, xid, id } }) };
}

/** The end of the journal. */
export async function currentPosition(db: Database): Promise<JournalPosition> {
  const { rows } = await db.pool.query<{ snapshot: string; now: string }>(
    "SELECT pg_current_snapshot()::text AS snapshot, extract(epoch FROM now()) * 1000 AS now",
  );
  return { takenAtMs: Number(rows[0]?.now), from: rows[0]?.snapshot ?? "" };
}

/** Whether a position is one of this database, from which nothing has been forgotten yet. */
export async function isReadable(db: Database, { takenAtMs, from, within }: JournalPosition): Promise<boolean> {
  try {
    const { rowCount } = await db.pool.query(
      `SELECT WHERE pg_snapshot_xmax($1::pg_snapshot) <= pg_snapshot_xmax(pg_current_snapshot())
         AND pg_snapshot_xmax($2::pg_snapshot) <= pg_snapshot_xmax(pg_current_snapshot()) AND $3::xid8 IS NOT NULL
         AND to_timestamp($4::float8 / 1000) BETWEEN now() - interval '${READABLE_HOURS} hours' AND now() + interval '1 hour'`,
      [from, within?.to ?? from, within?.xid ?? "0", takenAtMs],
    );
    return rowCount === 1;
  } catch (error) {
    if (hasSqlState(error, INVALID_TEXT) || hasSqlState(error, OUT_OF_RANGE)) return false;
    throw error;
  }
}

/** One row of the journal. */
export interface JournalEntry {
  at: Date;
  eventIds: string[];
  attemptIds: string[];
  deliveries: { change: DeliveryChange; ids: string[] }[];
  /** After this row. */
  position: JournalPosition;
}

interface ChangeRow {
  upper: string;
  now: string;
  xid: string | null;
  id: string | null;
  at: Date;
  event_ids: string[] | null;
  attempt_ids: string[] | null;
  created_ids: string[] | null;
  succeeded_ids: string[] | null;
  exhausted_ids: string[] | null;
  cancelled_ids: string[] | null;
  retried_ids: string[] | null;
  reopened_ids: string[] | null;
}

/**
 * The next rows of the journal after a position, in the order in which their transactions began to write.
 * @returns `next` is after the last of them; `isEnd` says that there was nothing beyond.
 */
export async function readChanges(
  db: Database,
  position: JournalPosition,
  limit: number,
): Promise<{ changes: JournalEntry[]; next: JournalPosition; isEnd: boolean }> {
  const { from, within } = position;
  const { rows } = await db.pool.query<ChangeRow>({
    name: "read-changes",
    text: `WITH bound AS MATERIALIZED (SELECT coalesce($2::pg_snapshot, pg_current_snapshot()) AS upper)
           SELECT upper::text, extract(epoch FROM now()) * 1000 AS now, c.*, c.xid::text AS xid
           FROM bound LEFT JOIN LATERAL (
             SELECT * FROM changes
             WHERE xid >= pg_snapshot_xmin($1::pg_snapshot) AND (xid, id) > ($3::xid8, $4::bigint)
               AND NOT pg_visible_in_snapshot(xid, $1) AND pg_visible_in_snapshot(xid, upper)
             ORDER BY xid, id LIMIT $5
           ) c ON true ORDER BY c.xid, c.id`,
    values: [from, within?.to ?? null, within?.xid ?? "0", within?.id ?? "0", limit],
  });
  const found = rows.filter((row) => row.xid !== null);
  const [first] = rows;
  const to = first?.upper ?? from;
  const takenAtMs = Number(first?.now);
  const isLast = found.length < limit;
  // A bound that was taken earlier: what came since follows it.
  const end = { takenAtMs: within === undefined ? takenAtMs : position.takenAtMs, from: to };
  const changes = found.map((row, index) => ({
    at: row.at,
    eventIds: row.event_ids ?? [],
    attemptIds: row.attempt_ids ?? [],
    deliveries: deliveriesOf(row),
    position:
      isLast && index === found.length - 1
        ? end
        : { takenAtMs: position.takenAtMs, from, within: { to, xid: row.xid ?? "", id: row.id ?? "" } },
  }));
  return { changes, next: isLast ? end : (changes.at(-1)?.position ?? end), isEnd: isLast && within === undefined };
}

const deliveriesOf = (row: ChangeRow) =>
  DELIVERY_CHANGES.map((change) => ({ change, ids: row[`${change}_ids`] ?? [] })).filter(({ ids }) => ids.length > 0);
