// Pages of lists. An id begins with its time, so that the order of ids is the order of time, and a page continues after
// the last id of the page before it.

import { asc, desc, type SQL } from "drizzle-orm";
import type { PgColumn } from "drizzle-orm/pg-core";

import { idFloor, LAST_ID, nextId } from "@sluice/shared/domain/ids";

import { type IdRange, withinRange } from "./id-range.ts";
import type { ListPlace } from "./late-rows.ts";

export type Order = "newest" | "oldest";

/** A page of a list. Times are in milliseconds since 1970; `sinceMs` is included, `untilMs` is not. */
export interface Page {
  limit: number;
  /** `newest` when absent. */
  order?: Order | undefined;
  /** Only rows that follow this id in the order. */
  afterId?: string | undefined;
  /** Where a list with its oldest rows first goes on (oldest-first.ts), which then reads no `afterId`. */
  place?: ListPlace | undefined;
  sinceMs?: number | undefined;
  untilMs?: number | undefined;
}

/** The whole of a list that is small enough to be held in memory. */
export const ALL: Page = { limit: 1_000_000 };

export function rangeOf({ order = "newest", afterId, sinceMs = 0, untilMs = Infinity }: Page): IdRange {
  const range = { from: idFloor(sinceMs), to: idFloor(untilMs) };
  if (afterId === undefined) return range;
  // UUIDs in lower case compare as their bytes do.
  if (order === "newest") return { ...range, to: afterId < range.to ? afterId : range.to };
  const from = afterId === LAST_ID ? LAST_ID : nextId(afterId);
  return { ...range, from: from > range.from ? from : range.from };
}

export function withinPage(id: PgColumn, page: Page): SQL | undefined {
  return withinRange(id, rangeOf(page));
}

export function inOrder(id: PgColumn, { order = "newest" }: Page): SQL {
  return order === "newest" ? desc(id) : asc(id);
}
