// Pages of lists by keyset: an id is a time, so an order of ids is one of times, and a page goes on from an id.

import { and, asc, desc, gte, lt, type SQL } from "drizzle-orm";
import type { PgColumn } from "drizzle-orm/pg-core";

import { idFloor, idTime, LAST_ID, nextId } from "@sluice/shared/domain/ids";
import { DAY_MS } from "../connection/partitions.ts";

export type Order = "newest" | "oldest";

/** A page of a list. Times are milliseconds; `sinceMs` is included, `untilMs` is not. */
export interface Page {
  limit: number;
  /** `newest` when absent. */
  order?: Order | undefined;
  /** Only rows that follow this id in the order. */
  afterId?: string | undefined;
  sinceMs?: number | undefined;
  untilMs?: number | undefined;
}

/** Of a list that is held in memory as a whole anyway. */
export const ALL: Page = { limit: 1_000_000 };

/** Ids from the first, included, to the last, not included. */
export interface IdRange {
  from: string;
  to: string;
}

export function rangeOf({ order = "newest", afterId, sinceMs = 0, untilMs = Infinity }: Page): IdRange {
  const range = { from: idFloor(sinceMs), to: idFloor(untilMs) };
  if (afterId === undefined) return range;
  // UUIDs in lower case compare as their bytes do.
  if (order === "newest") return { ...range, to: afterId < range.to ? afterId : range.to };
  const from = afterId === LAST_ID ? LAST_ID : nextId(afterId);
  return { ...range, from: from > range.from ? from : range.from };
}

/** With all that was made in the milliseconds of its ends. */
export function wholeMilliseconds({ from, to }: IdRange): IdRange {
  return { from: idFloor(idTime(from)), to: idFloor(idTime(to) + 1) };
}

/** With all that was made on the days (UTC) of its ends. */
export function wholeDays({ from, to }: IdRange): IdRange {
  return { from: idFloor(dayOf(from) * DAY_MS), to: idFloor((dayOf(to) + 1) * DAY_MS) };
}

const dayOf = (id: string) => Math.floor(idTime(id) / DAY_MS);

export function withinRange(id: PgColumn, { from, to }: IdRange): SQL | undefined {
  return and(gte(id, from), lt(id, to));
}

export function withinPage(id: PgColumn, page: Page): SQL | undefined {
  return withinRange(id, rangeOf(page));
}

export function inOrder(id: PgColumn, { order = "newest" }: Page): SQL {
  return order === "newest" ? desc(id) : asc(id);
}
