// Ranges of ids. An id begins with its time, and the tables of the log are partitioned by day: a statement that bounds
// the ids opens only the partitions of those days. MUST bound the ids of what is read, or PostgreSQL opens every one.

import { and, gte, inArray, lt, lte, type SQL } from "drizzle-orm";
import type { PgColumn } from "drizzle-orm/pg-core";

import { idFloor, idTime, nextId } from "@sluice/shared/domain/ids";

import { DAY_MS } from "../connection/partitions.ts";

/** Ids from `from`, included, to `to`, not included. */
export interface IdRange {
  from: string;
  to: string;
}

/**
 * Widens a range to whole milliseconds, so that it holds every id that was made in the milliseconds of its two ends.
 */
export function wholeMilliseconds({ from, to }: IdRange): IdRange {
  return { from: idFloor(idTime(from)), to: idFloor(idTime(to) + 1) };
}

/** Widens a range to whole days in UTC, so that it holds every id that was made on the days of its two ends. */
export function wholeDays({ from, to }: IdRange): IdRange {
  return { from: idFloor(dayOf(from) * DAY_MS), to: idFloor((dayOf(to) + 1) * DAY_MS) };
}

const dayOf = (id: string) => Math.floor(idTime(id) / DAY_MS);

export function withinRange(id: PgColumn, { from, to }: IdRange): SQL | undefined {
  return and(gte(id, from), lt(id, to));
}

/** @returns the range from the first of these ids to the last; undefined when there are none. */
export function rangeAround(ids: readonly string[]): IdRange | undefined {
  const sorted = ids.toSorted();
  const [first] = sorted;
  return first === undefined ? undefined : { from: first, to: nextId(sorted.at(-1) ?? first) };
}

/** The condition that an id is one of these; bounded, so that PostgreSQL skips other days. @param ids at least one. */
export function anyOf(column: PgColumn, ids: readonly string[]): SQL | undefined {
  const sorted = ids.toSorted();
  return and(inArray(column, sorted), gte(column, sorted[0]), lte(column, sorted.at(-1)));
}

/**
 * SQL: the condition that an id is between the first and the last of a list, which MUST be sorted. From these bounds
 * PostgreSQL knows the days; `= ANY` of a parameter does not tell it, and it opens the partitions of every day.
 */
export const inIdRange = (list: string, id = "id") =>
  `${id} >= (${list})[1] AND ${id} <= (${list})[cardinality(${list})]`;
