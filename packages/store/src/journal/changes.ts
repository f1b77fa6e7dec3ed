// The journal of the log, the table `changes`: the live tail reads it, and the figures are counted from it. Every
// statement that stores events, records attempts, or moves deliveries into or out of a final state MUST write the
// journal itself. The journal then has each committed change exactly once.

import { crc32 } from "node:zlib";

import { sql } from "drizzle-orm";

import { type Connection, type Database, runPrepared } from "../connection/database.ts";
import { hasSqlState } from "../connection/postgres-errors.ts";

/** How old a position may be from which a reader continues. The journal is kept a little longer. */
const READABLE_HOURS = 23;
/** PostgreSQL raises this for a text that is no snapshot. */
const INVALID_TEXT = "22P02";
const OUT_OF_RANGE = "22003";
/** The most ids of one row: a statement over a million deliveries would otherwise write a row of sixteen megabytes. */
const MAX_IDS = 500;

const DELIVERY_CHANGES = ["created", "succeeded", "exhausted", "cancelled", "retried", "reopened"] as const;
/** What happened to a delivery. `reopened` is a retry of a finished delivery, `retried` a retry of a pending one. */
export type DeliveryChange = (typeof DELIVERY_CHANGES)[number];

/**
 * A part of a WITH: the journal gets the deliveries that the statement changed.
 * @param from an earlier part, which returns the `id` of each delivery.
 */
export function noteDeliveries(change: DeliveryChange, from: string): string {
  return `noted_${change} AS (
    INSERT INTO changes (${change}_ids)
    SELECT array_agg(id) FROM (SELECT id, (row_number() OVER () - 1) / ${MAX_IDS} AS part FROM ${from}) AS parts GROUP BY part
  )`;
}

/**
 * How far a reader has read the journal. A snapshot of PostgreSQL says this exactly: every row that the snapshot does
 * not see is new, however late its transaction was committed.
 */
export interface JournalPosition {
  /** When the position was taken, in milliseconds since 1970. */
  takenAtMs: number;
  /** A snapshot as PostgreSQL writes it. The reader has read every row that it sees. */
  from: string;
  /**
   * The part of the journal that the reader is in, when one read did not take all of it: the rows that the snapshot
   * `to` sees and `from` does not. The reader has read this part up to the row with this `xid` and `id`.
   */
  part?: { to: string; xid: string; id: string };
}

const SNAPSHOT = String.raw`\d{1,20}:\d{1,20}:(?:\d{1,20}(?:,\d{1,20})*)?`;
const POSITION = new RegExp(
  String.raw`^(\d{1,15})_(${SNAPSHOT})(?:_(${SNAPSHOT})_(\d{1,20})_(\d{1,18}))?(?:~([a-p]{8}))?$`,
);

export function writePosition({ takenAtMs, from, part }: JournalPosition): string {
  const fields = [Math.floor(takenAtMs), from, ...(part === undefined ? [] : [part.to, part.xid, part.id])];
  const text = fields.join("_");
  return `${text}~${checksumOfPosition(text)}`;
}

/**
 * @returns undefined for a text that is no position. {@link isReadable} says whether a position is from this database.
 */
export function parsePosition(text: string): JournalPosition | undefined {
  const [, takenAt = "", from = "", to, xid = "", id = "", checksum] = POSITION.exec(text) ?? [];
  if (from === "") return undefined;
  // A client that follows the tail during the upgrade from 0.1.0 comes back with a position without a checksum.
  if (checksum !== undefined && checksum !== checksumOfPosition(text.slice(0, text.indexOf("~")))) return undefined;
  return { takenAtMs: Number(takenAt), from, ...(to === undefined ? {} : { part: { to, xid, id } }) };
}

/**
 * A CRC finds every change of one character, which could otherwise be another position. It is written in letters (a for
 * 0 to p for 15): a digit in place of the "~" would make a checksum of digits a part of the number before it.
 */
const checksumOfPosition = (text: string): string => {
  const digits = crc32(text).toString(16).padStart(8, "0");
  return digits.replaceAll(/./g, (digit) => "abcdefghijklmnop".charAt(Number.parseInt(digit, 16)));
};

/** @returns the position at the end of the journal. */
export async function currentPosition(on: Database | Connection): Promise<JournalPosition> {
  const { rows } = await on.orm.execute<{ snapshot: string; now: string }>(
    sql`SELECT pg_current_snapshot()::text AS snapshot, extract(epoch FROM now()) * 1000 AS now`,
  );
  return { takenAtMs: Number(rows[0]?.now), from: rows[0]?.snapshot ?? "" };
}

/** Whether a position is from this database, and nothing after it has been deleted yet. */
export async function isReadable(db: Database, { takenAtMs, from, part }: JournalPosition): Promise<boolean> {
  try {
    const { rowCount } = await db.pool.query(
      `SELECT WHERE pg_snapshot_xmax($1::pg_snapshot) <= pg_snapshot_xmax(pg_current_snapshot())
         AND pg_snapshot_xmax($2::pg_snapshot) <= pg_snapshot_xmax(pg_current_snapshot()) AND $3::xid8 IS NOT NULL
         AND to_timestamp($4::float8 / 1000) BETWEEN now() - interval '${READABLE_HOURS} hours' AND now() + interval '1 hour'`,
      [from, part?.to ?? from, part?.xid ?? "0", takenAtMs],
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
  /** The position after this row. */
  position: JournalPosition;
}

interface ChangeRow {
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

/** The columns of the journal that name the new rows of a list. No row of a list is in two rows of the journal. */
export type NewRowsColumn = "event_ids" | "created_ids" | "attempt_ids";

/** What one row of the journal says of a list. */
export interface NotedRows {
  /** The ids of new rows up to the wanted id, in ascending order. */
  ids: string[];
  /** The position before this row of the journal. */
  before: JournalPosition;
  /** The position after it. */
  position: JournalPosition;
}

/**
 * Reads the next rows of the journal after a position, in the order in which their transactions began to write.
 * @returns `next` is the position after the last of these rows; `isEnd` says that the journal had no more rows.
 * `wasAhead` says that the position was of another cluster, from which a dump was restored: `next` is then the end.
 */
export async function readChanges(
  db: Database,
  position: JournalPosition,
  limit: number,
): Promise<JournalRead & { changes: JournalEntry[] }> {
  const { rows, ...read } = await readJournal(db, "read-changes", "c.*, c.xid::text AS xid", position, limit);
  const changes = rows.map(({ row, position: after }) => {
    const { at, event_ids: eventIds, attempt_ids: attemptIds, ...ids } = row as ChangeRow;
    return {
      at,
      eventIds: eventIds ?? [],
      attemptIds: attemptIds ?? [],
      deliveries: deliveriesOf(ids),
      position: after,
    };
  });
  return { changes, ...read };
}

/**
 * Reads the new rows of a list that the next rows of the journal name, as far as their ids are at most `lastId`.
 * @param on MUST be a transaction in which all statements see one snapshot, when the caller also reads the list. Then
 * the list has exactly the rows that the journal has named by the position `next`, when `isEnd` is true.
 */
export async function readNewRows(
  on: Connection,
  column: NewRowsColumn,
  position: JournalPosition,
  lastId: string,
  limit: number,
): Promise<JournalRead & { noted: NotedRows[] }> {
  const ids = `ARRAY(SELECT named FROM unnest(c.${column}) AS named WHERE named <= $6::uuid ORDER BY named)::text[]`;
  const columns = `c.xid::text AS xid, c.id, ${ids} AS ids`;
  const { rows, ...read } = await readJournal(on, `read-${column}`, columns, position, limit, [lastId]);
  const noted = rows.map(({ row, before, position: after }) => ({
    ids: (row as NewIdsRow).ids,
    before,
    position: after,
  }));
  return { noted, ...read };
}

interface NewIdsRow {
  ids: string[];
}

interface JournalRead {
  /** The position after the rows that were read. */
  next: JournalPosition;
  /** Whether the journal has no more rows. */
  isEnd: boolean;
  /** Whether the position was of another cluster, from which a dump was restored: `next` is then the end. */
  wasAhead: boolean;
}

interface JournalRow extends Record<string, unknown> {
  upper: string;
  is_ahead: boolean;
  current: string;
  now: string;
  xid: string | null;
  id: string | null;
}

/**
 * @param columns in SQL, of the row `c` of the journal; MUST contain `xid` as text, and `id`.
 * @param values of the parameters `$6` and so on.
 */
async function readJournal(
  on: Database | Connection,
  name: string,
  columns: string,
  position: JournalPosition,
  limit: number,
  values: unknown[] = [],
): Promise<JournalRead & { rows: { row: unknown; before: JournalPosition; position: JournalPosition }[] }> {
  const { from, part } = position;
  const rows = await runPrepared<JournalRow>(on, {
    name,
    text: `WITH bound AS MATERIALIZED (SELECT coalesce($2::pg_snapshot, pg_current_snapshot()) AS upper)
           SELECT upper::text, extract(epoch FROM now()) * 1000 AS now, ${columns},
             pg_snapshot_xmax(coalesce($2::pg_snapshot, $1::pg_snapshot)) > pg_snapshot_xmax(pg_current_snapshot())
               AS is_ahead,
             pg_current_snapshot()::text AS current
           FROM bound LEFT JOIN LATERAL (
             SELECT * FROM changes
             WHERE xid >= pg_snapshot_xmin($1::pg_snapshot) AND (xid, id) > ($3::xid8, $4::bigint)
               AND NOT pg_visible_in_snapshot(xid, $1::pg_snapshot) AND pg_visible_in_snapshot(xid, upper)
             ORDER BY xid, id LIMIT $5::bigint
           ) c ON true ORDER BY c.xid, c.id`,
    values: [from, part?.to ?? null, part?.xid ?? "0", part?.id ?? "0", limit, ...values],
  });
  const found = rows.filter((row) => row.xid !== null);
  const [first] = rows;
  const to = first?.upper ?? from;
  const takenAtMs = Number(first?.now);
  if (first?.is_ahead === true) {
    return { rows: [], next: { takenAtMs, from: first.current }, isEnd: true, wasAhead: true };
  }
  const isLast = found.length < limit;
  // Inside a part, `to` was taken by an earlier read, so that the end is as old as that read; newer rows follow it.
  const end = { takenAtMs: part === undefined ? takenAtMs : position.takenAtMs, from: to };
  const within = (xid: string, id: string) => ({ takenAtMs: position.takenAtMs, from, part: { to, xid, id } });
  let before = within(part?.xid ?? "0", part?.id ?? "0");
  const read = found.map((row, index) => {
    const after = within(row.xid ?? "", row.id ?? "");
    const entry = { row, before, position: isLast && index === found.length - 1 ? end : after };
    before = after;
    return entry;
  });
  return {
    rows: read,
    next: isLast ? end : (read.at(-1)?.position ?? end),
    isEnd: isLast && part === undefined,
    wasAhead: false,
  };
}

const deliveriesOf = (row: Omit<ChangeRow, "at" | "event_ids" | "attempt_ids">) =>
  DELIVERY_CHANGES.map((change) => ({ change, ids: row[`${change}_ids`] ?? [] })).filter(({ ids }) => ids.length > 0);
