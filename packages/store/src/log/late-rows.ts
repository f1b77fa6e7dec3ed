// Finds the rows of a list that were committed after a position of the journal, although their ids are older than the
// place that a reader has reached. An id is made before its row is stored: a transaction may commit later than those
// after it, an event may wait in a queue, and a replay makes deliveries of an old event.

import { and, asc, gt, gte, lte, type SQL, sql } from "drizzle-orm";
import type { PgColumn, PgTable } from "drizzle-orm/pg-core";

import { idFloor } from "@sluice/shared/domain/ids";

import type { Connection } from "../connection/database.ts";
import { currentPosition, type JournalPosition, type NewRowsColumn, readNewRows } from "../journal/changes.ts";

/**
 * How far a list has been read, oldest first. Its reader has seen every row that is not after `lastId` and that the
 * position sees.
 */
export interface ListPlace {
  lastId: string;
  position: JournalPosition;
  /**
   * The last row that the reader has seen of the row of the journal after `position`. It is undefined when the reader has
   * seen none of them.
   */
  seenId?: string | undefined;
}

export interface LateRows {
  /** Each with the place after it. Some of them may not match the filter of the list. */
  rows: { id: string; place: ListPlace }[];
  next: ListPlace;
  /** Whether these are all late rows that the snapshot of the transaction sees. */
  isEnd: boolean;
}

/** @param on MUST be a transaction in which all statements see one snapshot. */
export type FindLateRows = (on: Connection, place: ListPlace, limit: number) => Promise<LateRows>;

/** The rows of the journal that one page reads: a few milliseconds of work. */
const MAX_CHANGES = 500;

/** Finds the late rows of a list whose new rows the journal names. */
export const lateByJournal =
  (column: NewRowsColumn): FindLateRows =>
  async (on, { lastId, position, seenId }, limit) => {
    const { noted, next, isEnd } = await readNewRows(on, column, position, lastId, MAX_CHANGES);
    const rows = noted.flatMap(({ ids, before }, index) => {
      const unseen = index === 0 && seenId !== undefined ? ids.filter((id) => id > seenId) : ids;
      return unseen.map((id) => ({ id, place: { lastId, position: before, seenId: id } }));
    });
    return cut(rows, { lastId, position: next }, isEnd, limit);
  };

/** How long after the time in its id a row is committed at most, with clocks that differ. */
const MAX_COMMIT_MS = 3_600_000;
const XIDS_OF_AN_EPOCH = 2 ** 32;

/**
 * Finds the late rows of a table that the journal does not name. Its rows MUST never be updated, MUST NOT be written in a
 * savepoint, and MUST be stored within an hour: `xmin` is then the transaction that stored the row.
 */
export const lateByTransaction =
  (table: PgTable, id: PgColumn): FindLateRows =>
  async (on, { lastId, position, seenId }, limit) => {
    const current = await currentPosition(on);
    const to = position.part?.to ?? current.from;
    const rows = await on.orm
      .select({ id: sql<string>`${id}` })
      .from(table)
      .where(
        and(
          gte(id, idFloor(position.takenAtMs - MAX_COMMIT_MS)),
          lte(id, lastId),
          seenId === undefined ? undefined : gt(id, seenId),
          sql`NOT pg_visible_in_snapshot(${xidOf(table)}, ${position.from}::pg_snapshot)`,
          sql`pg_visible_in_snapshot(${xidOf(table)}, ${to}::pg_snapshot)`,
        ),
      )
      .orderBy(asc(id))
      .limit(limit + 1);
    const within = { ...position, part: { to, xid: "0", id: "0" } };
    const found = rows.map((row) => ({ id: row.id, place: { lastId, position: within, seenId: row.id } }));
    const takenAtMs = position.part === undefined ? current.takenAtMs : position.takenAtMs;
    return cut(found, { lastId, position: { takenAtMs, from: to } }, position.part === undefined, limit);
  };

function cut(rows: LateRows["rows"], next: ListPlace, isEnd: boolean, limit: number): LateRows {
  if (rows.length <= limit) return { rows, next, isEnd };
  const kept = rows.slice(0, limit);
  return { rows: kept, next: kept.at(-1)?.place ?? next, isEnd: false };
}

/** SQL: `xmin` has the lower half of the number of a transaction, and the row is younger than half an epoch. */
const xidOf = (table: PgTable): SQL => {
  const newest = sql`pg_snapshot_xmax(pg_current_snapshot())::text::bigint`;
  const agePastEpochs = sql`mod(${newest} - ${table}.xmin::text::bigint + ${XIDS_OF_AN_EPOCH}::bigint, ${XIDS_OF_AN_EPOCH}::bigint)`;
  return sql`(${newest} - ${agePastEpochs})::text::xid8`;
};
