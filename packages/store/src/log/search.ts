// Finds the rows of a page. However the filters combine, it reads a bounded number of index entries: of all ways, it
// takes the one whose entries reach the furthest in the order of the page. When these do not fill the page, the page
// ends early and says where the next one begins. Without the bound, two filters that each match many rows, and together
// few, would read the whole log.

import { and, type SQL, sql } from "drizzle-orm";
import type { PgColumn, PgTable } from "drizzle-orm/pg-core";

import { idCeiling, idFloor, idTime } from "@sluice/shared/domain/ids";

import type { Connection } from "../connection/database.ts";
import { DAY_MS } from "../connection/partitions.ts";
import { type IdRange, wholeMilliseconds, withinRange } from "./id-range.ts";
import type { FindLateRows } from "./late-rows.ts";
import type { Conditions } from "./log-filter.ts";
import { inOrder, type Page } from "./page.ts";
import { type Entries, type Way, wayByIds, wayOf } from "./search-ways.ts";
import { isShownWithin, partsOfPage, type ShownTime } from "./shown-time.ts";

/** The most index entries that are read for one page. */
export interface Budget {
  /** The limit when each entry costs one row. */
  rows: number;
  /** The limit when each entry also needs a look-up in another table. */
  lookUps: number;
}

/** The budget of one page. Both limits are a few milliseconds of work. */
export const PAGE_BUDGET: Budget = { rows: 2_000, lookUps: 200 };

/** A list of the log under a filter: which rows match, and how they can be found. */
export interface Search {
  table: PgTable;
  id: PgColumn;
  conditions: Conditions;
  ways: (range: IdRange) => Promise<Way[]>;
  /**
   * Finds the way to all rows of the list, in any range, when these belong to a few events that the filter names.
   * Called before anything else is read, so that it MUST cost nothing when the filter names no events.
   */
  findNamed?: () => Promise<Way | undefined>;
  /**
   * Does the same for a filter that probably matches many events. Called only when the first days do not fill the page.
   */
  findRare?: () => Promise<Way | undefined>;
  /**
   * SQL: a subquery in FROM that reads the list's rows of an event `found`, by its `event_id`, which is in the range.
   */
  rowsOfEvent?: (range: IdRange) => SQL;
  /** The time with which `since` and `until` are compared. */
  shown: ShownTime;
  /** For readers that come back to the list for its new rows. */
  findLateRows: FindLateRows;
}

export interface Found {
  /** In the order of the page, and at most its limit. */
  ids: string[];
  /**
   * The id after which more rows may match, when the search ended before the page was full. Undefined at the end of the
   * log.
   */
  searchedTo: string | undefined;
}

/**
 * Finds the ids of a page. When the filter names a few events, it reads only their rows, whose days are known. Otherwise
 * it searches the ranges in which the page can be.
 */
export async function search(db: Connection, list: Search, page: Page, budget: Budget): Promise<Found> {
  const parts = partsOfPage(page, list.shown);
  const named = parts.length === 0 ? undefined : await list.findNamed?.();
  let found = NOTHING;
  for (const { range, holdsStrays } of parts) {
    const left = { ...page, limit: page.limit - found.ids.length };
    const more =
      named !== undefined
        ? { ids: await readIds(db, list, named, range, left), searchedTo: undefined }
        : holdsStrays
          ? await searchStrays(db, list, range, left, budget)
          : await searchRange(db, list, range, left, budget);
    found = { ids: [...found.ids, ...more.ids], searchedTo: more.searchedTo };
    if (found.searchedTo !== undefined || found.ids.length === page.limit) break;
  }
  return found;
}

/**
 * First searches the two days in which the page begins: most pages need no more, and PostgreSQL plans over few
 * partitions and not over every day of the log.
 */
async function searchRange(db: Connection, list: Search, range: IdRange, page: Page, budget: Budget): Promise<Found> {
  const { first, rest } = splitRange(range, page);
  const found = first === undefined ? NOTHING : await searchIn(db, list, first, page, budget);
  if (found.ids.length === page.limit) return found;
  const rare = await list.findRare?.();
  if (rare !== undefined) return mergeFound(found.ids, await readIds(db, list, rare, range, page), page);
  if (found.searchedTo !== undefined) return found;
  const left = { ...page, limit: page.limit - found.ids.length };
  const more = await searchIn(db, list, rest, left, budget);
  return { ids: [...found.ids, ...more.ids], searchedTo: more.searchedTo };
}

/** Reads the strays of a range. There are few of them as a rule, so no way of the filter is used. */
async function searchStrays(db: Connection, list: Search, range: IdRange, page: Page, budget: Budget): Promise<Found> {
  const most = list.conditions.lookedUp.length > 0 ? budget.lookUps : budget.rows;
  const strays = (await list.shown.findStrays?.(range, page, most + 1)) ?? [];
  const candidates = strays.slice(0, most);
  const ids = await readIds(db, list, wayByIds(list, candidates), range, page);
  const isRead = ids.length === page.limit || strays.length <= most;
  return { ids, searchedTo: isRead ? undefined : candidates.at(-1) };
}

const NOTHING: Found = { ids: [], searchedTo: undefined };

/** Merges two lists: a row that was found by itself may be missing in `few`, because its event was deleted already. */
function mergeFound(found: readonly string[], few: readonly string[], page: Page): Found {
  const ids = [...new Set([...found, ...few])].toSorted();
  return { ids: (page.order === "oldest" ? ids : ids.toReversed()).slice(0, page.limit), searchedTo: undefined };
}

/**
 * Splits a range at a midnight in UTC, where partitions end: `first` is the day in which the page begins and the day
 * after it in the order of the page, and `rest` is the rest. There is no `first` when the range is hardly longer than
 * that.
 */
function splitRange(range: IdRange, { order }: Page): { first?: IdRange; rest: IdRange } {
  const fromMs = idTime(range.from);
  // The page begins at the oldest row of the log, and nothing says on which day that is.
  if (order === "oldest" && fromMs === 0) return { rest: range };
  // A clock that is ahead may have made ids of the future; they belong to the first days too.
  const startMs = order === "oldest" ? fromMs : Math.min(idTime(range.to), Date.now());
  const edge = idFloor((Math.floor(startMs / DAY_MS) + (order === "oldest" ? 2 : -1)) * DAY_MS);
  if (edge <= range.from || edge >= range.to) return { rest: range };
  const older = { ...range, to: edge };
  const newer = { ...range, from: edge };
  return order === "oldest" ? { first: older, rest: newer } : { first: newer, rest: older };
}

async function searchIn(db: Connection, list: Search, range: IdRange, page: Page, budget: Budget): Promise<Found> {
  const { own, lookedUp } = list.conditions;
  const ways = await list.ways(range);
  const [only = wholeTable(list)] = ways;
  if (ways.length <= 1 && own.length + lookedUp.length === ways.length && isOrdered(only)) {
    // Every entry of this one way is a row of the page, so that no budget is needed.
    return { ids: await readIds(db, list, only, range, page), searchedTo: undefined };
  }
  const { way, reached } = await chooseWay(db, list, ways, range, page, budget);
  const searched = reached === undefined ? range : narrowRange(range, reached, page);
  const ids = await readIds(db, list, way, searched, page);
  const isFull = ids.length === page.limit;
  return { ids, searchedTo: isFull || reached === undefined ? undefined : endOfRange(searched, page) };
}

const isOrdered = (way: Way) => way.leadsTo === "rows" && way.isExact && way.entries.length === 1;

const wholeTable = ({ table, id }: Search) => wayOf({ table, id }, undefined);

/**
 * Chooses the way whose entries reach the furthest within the budget.
 * @returns the way, and the id that its entries reach; undefined when they reach the end of the range.
 */
async function chooseWay(
  db: Connection,
  list: Search,
  ways: Way[],
  range: IdRange,
  page: Page,
  budget: Budget,
): Promise<{ way: Way; reached: string | undefined }> {
  // The whole table is a way only when no way leads to rows: any such way reaches at least as far as the whole table.
  const all = ways.some((way) => way.leadsTo === "rows") ? ways : [...ways, wholeTable(list)];
  const columns = all.flatMap((way, index) => {
    const isLookedUp = way.leadsTo === "events" || list.conditions.lookedUp.length > 0;
    const entriesOfWay = isLookedUp ? budget.lookUps : budget.rows;
    const entryRange = way.leadsTo === "events" ? wholeMilliseconds(range) : range;
    const offset = Math.ceil(entriesOfWay / way.entries.length);
    return way.entries.map((entries, entry) => {
      const name = sql.identifier(`way_${index}_${entry}`);
      return sql`(${selectRows(entries, entryRange, page)} OFFSET ${offset} LIMIT 1) AS ${name}`;
    });
  });
  const row = columns.length === 0 ? {} : await firstRow(db, columns);
  const isNewest = page.order !== "oldest";
  const reaches = all.map((way, index) => {
    const reached = way.entries
      .map((_, entry) => row[`way_${index}_${entry}`] ?? null)
      .filter((each) => each !== null)
      .toSorted();
    // The entries that stopped first decide: beyond that id, some entries were not read.
    return { way, reached: isNewest ? reached.at(-1) : reached[0] };
  });
  return reaches.reduce((best, next) => (reachesFurther(next.reached, best.reached, isNewest) ? next : best));
}

async function firstRow(db: Connection, columns: SQL[]): Promise<Record<string, string | null>> {
  const { rows } = await db.orm.execute<Record<string, string | null>>(sql`SELECT ${sql.join(columns, sql`, `)}`);
  return rows[0] ?? {};
}

function reachesFurther(a: string | undefined, b: string | undefined, isNewest: boolean): boolean {
  if (a === undefined || b === undefined) return a === undefined && b !== undefined;
  return isNewest ? a < b : a > b;
}

/**
 * Ends a range behind the millisecond of an id. A whole millisecond, because the ids of an event and its deliveries
 * share only that.
 */
function narrowRange(range: IdRange, reached: string, page: Page): IdRange {
  const whole = wholeMilliseconds({ from: reached, to: reached });
  return page.order === "oldest"
    ? { ...range, to: whole.to < range.to ? whole.to : range.to }
    : { ...range, from: whole.from > range.from ? whole.from : range.from };
}

/** @returns the id after which the next page begins. */
function endOfRange(range: IdRange, page: Page): string {
  return page.order === "oldest" ? idCeiling(idFloor(idTime(range.to) - 1)) : range.from;
}

/** Reads the ids of the rows of a way that are in the range and match, at most the limit of the page. */
async function readIds(db: Connection, list: Search, way: Way, range: IdRange, page: Page): Promise<string[]> {
  const { table, id, conditions, rowsOfEvent } = list;
  if (way.entries.length === 0) return [];
  // OFFSET 0 is a fence: the planner uses the index of the way, whatever it estimates for the other conditions.
  const read = (entryRange: IdRange, columns?: SQL) =>
    unionAll(way.entries.map((entries) => sql`${selectRows(entries, entryRange, page, columns)} OFFSET 0`));
  const from =
    way.leadsTo === "rows" || rowsOfEvent === undefined
      ? sql`(${read(range, sql`*`)}) AS ${table}`
      : sql`(${read(wholeMilliseconds(range))}) AS found (event_id)
        CROSS JOIN LATERAL ${rowsOfEvent(wholeMilliseconds(range))} AS ${table}`;
  const isShown = isShownWithin(list, page);
  const condition = and(withinRange(id, range), ...conditions.own, isShown, ...conditions.lookedUp);
  const { rows } = await db.orm.execute<{ id: string }>(
    sql`SELECT ${id} FROM ${from} WHERE ${condition} ORDER BY ${inOrder(id, page)} LIMIT ${page.limit}`,
  );
  return rows.map((row) => row.id);
}

const unionAll = (parts: SQL[]) =>
  parts.length === 1
    ? sql`${parts[0]}`
    : sql.join(
        parts.map((part) => sql`(${part})`),
        sql` UNION ALL `,
      );

function selectRows({ table, id, on }: Entries, range: IdRange, page: Page, columns: SQL = sql`${id}`): SQL {
  return sql`SELECT ${columns} FROM ${table} WHERE ${and(on, withinRange(id, range))} ORDER BY ${inOrder(id, page)}`;
}
