// Time ranges of lists. `since` and `until` compare the time that a list shows, such as `received_at`. Ids are made some
// milliseconds before or after that time, so a range of ids, with margins, finds the rows: it lets PostgreSQL skip the
// partitions of other days and read an index in order. Then each row's own time is compared exactly.

import { and, gte, lt, type SQL, sql } from "drizzle-orm";
import type { PgColumn } from "drizzle-orm/pg-core";

import { idFloor } from "@sluice/shared/domain/ids";

import type { IdRange } from "./id-range.ts";
import { type Page, rangeOf, withinPage } from "./page.ts";

/** The time that a list shows of its rows, and how far the times in their ids are from it. */
export interface ShownTime {
  /** Undefined when the list shows the time in the id. */
  column: PgColumn | undefined;
  /** The most by which the time in an id is before the shown time. */
  idEarlierMs: number;
  /** The most by which the time in an id is after the shown time. */
  idLaterMs: number;
  /**
   * Finds the other rows of a page, whose ids are earlier still: their ids, at most `limit`, in the order of the page.
   * Lists without such rows have no such function.
   */
  findStrays?: (range: IdRange, page: Page, limit: number) => Promise<string[]>;
}

/**
 * How far an id may be after the shown time, unless the clock of a process is set back by more. An event has its id when
 * its body has come (30 s at most), and an attempt when it has ended (30 s at most).
 */
const ID_LATER_MS = 60_000;
/** An id is made before the shown time only where the clock is set. */
const ID_EARLIER_MS = 1_000;

/** @param column of a list whose ids and times are made by one process. */
export const shownAt = (column: PgColumn): ShownTime => ({
  column,
  idEarlierMs: ID_EARLIER_MS,
  idLaterMs: ID_LATER_MS,
});

/** The time in the id itself. */
export const TIME_IN_ID: ShownTime = { column: undefined, idEarlierMs: 0, idLaterMs: 0 };

/** A range of ids. Strays are in it when `holdsStrays` is true, and no other row that the page may show. */
export interface PartOfPage {
  range: IdRange;
  holdsStrays: boolean;
}

/** The ranges of ids in which the rows of a page are, in the order of the page. */
export function partsOfPage(page: Page, shown: ShownTime): PartOfPage[] {
  const { sinceMs, untilMs, order } = page;
  const whole = rangeOf({ ...page, sinceMs: undefined, untilMs: addMs(untilMs, shown.idLaterMs) });
  if (sinceMs === undefined) return [{ range: whole, holdsStrays: false }];
  const edge = idFloor(sinceMs - shown.idEarlierMs);
  const main = { range: { ...whole, from: edge > whole.from ? edge : whole.from }, holdsStrays: false };
  const before = { range: { ...whole, to: edge < whole.to ? edge : whole.to }, holdsStrays: true };
  const parts = shown.findStrays === undefined ? [main] : [before, main];
  const inOrder = order === "oldest" ? parts : parts.toReversed();
  return inOrder.filter(({ range }) => range.from < range.to);
}

/** The condition that the time of a row is in the time range of a page. */
export function isShownWithin(
  { id, shown: { column } }: { id: PgColumn; shown: Pick<ShownTime, "column"> },
  { limit, sinceMs, untilMs }: Page,
): SQL | undefined {
  if (column === undefined) return withinPage(id, { limit, sinceMs, untilMs });
  return and(
    sinceMs === undefined ? undefined : gte(column, epochInstant(sinceMs)),
    untilMs === undefined ? undefined : lt(column, epochInstant(untilMs)),
  );
}

/** A number, because PostgreSQL reads no years after 9999 as `toISOString` writes them. */
const epochInstant = (ms: number) => sql`to_timestamp(${ms}::float8 / 1000)`;

const addMs = (ms: number | undefined, more: number) => (ms === undefined ? undefined : ms + more);
