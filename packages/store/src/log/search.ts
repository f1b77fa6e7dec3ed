// Finds the rows of a page, and reads at most so many entries of an index for it, however the filters combine: of all
// the ways, it takes the one whose entries reach the furthest. Where those are not enough for a full page, the page
// ends early and says where the next one goes on. Without a bound, two filters that are common each and rare together
// would read the whole log.

import { and, type SQL, sql } from "drizzle-orm";
import type { PgColumn, PgTable } from "drizzle-orm/pg-core";

import { idCeiling, idFloor, idTime } from "@sluice/shared/domain/ids";
import type { Connection } from "../connection/database.ts";
import type { Conditions } from "./log-filter.ts";
import { type IdRange, inOrder, type Page, rangeOf, wholeMilliseconds, withinRange } from "./page.ts";
import { DAY_MS } from "../connection/partitions.ts";
import { type Entries, type Way, wayOf } from "./search-ways.ts";

/** What is read for one page at most. */
export interface Budget {
  /** Entries of an index whose rows are read. */
  rows: number;
  /** Entries for each of which another table is asked. */
  lookUps: number;
}

/** A few milliseconds of work in either case. */
const BUDGET: Budget = { rows: 2_000, lookUps: 200 };

export interface Search {
  table: PgTable;
  id: PgColumn;
  conditions: Conditions;
  ways: (range: IdRange) => Promise<Way[]>;
  /**
   * The one way that has all rows of the list, whatever the range, where they are those of a few events that the filter
   * names. Asked before anything is read, so it MUST cost nothing where the filter names none.
   */
  findNamed?: () => Promise<Way | undefined>;
  /** Likewise, where the filter may well match many: asked only after the first days, where these do not fill the page. */
  findRare?: () => Promise<Way | undefined>;
  /** The rows of an event, as a subquery in FROM beside the `event_id` of what is called `found`, which is in the range. */
  ofEvent?: (range: IdRange) => SQL;
}

export interface Found {
  /** In the order of the page, at most its limit. */
  ids: string[];
  /** Where the search ended before the page was full: what matches beyond follows this id. Undefined at the end of the log. */
  searchedTo: string | undefined;
}

/**
 * The two days that a page begins in come first, alone: most pages are full with them, and PostgreSQL plans over a few
 * partitions where it would over every day of the log. Few events come before that: their days are known.
 */
export async function search(db: Connection, list: Search, page: Page, budget = BUDGET): Promise<Found> {
  const range = rangeOf(page);
  const named = await list.findNamed?.();
  if (named !== undefined) return { ids: await readIds(db, list, named, range, page), searchedTo: undefined };
  const { first, rest } = split(range, page);
  const found = first === undefined ? NOTHING : await searchIn(db, list, first, page, budget);
  if (found.ids.length === page.limit) return found;
  const rare = await list.findRare?.();
  if (rare !== undefined) return withBoth(found.ids, await readIds(db, list, rare, range, page), page);
  if (found.searchedTo !== undefined) return found;
  const left = { ...page, limit: page.limit - found.ids.length };
  const more = await searchIn(db, list, rest, left, budget);
  return { ids: [...found.ids, ...more.ids], searchedTo: more.searchedTo };
}

const NOTHING: Found = { ids: [], searchedTo: undefined };

/** What was found by itself may be of an event that is forgotten already, by which it cannot be found. */
function withBoth(found: readonly string[], few: readonly string[], page: Page): Found {
  const ids = [...new Set([...found, ...few])].toSorted();
  return { ids: (page.order === "oldest" ? ids : ids.toReversed()).slice(0, page.limit), searchedTo: undefined };
}

/**
 * A range in the order of its page: the days that are searched first (the one that it begins in, and the next), and the
 * rest. On a midnight of UTC, as partitions do. Without the first when the range is hardly more.
 */
function split(range: IdRange, { order }: Page): { first?: IdRange; rest: IdRange } {
  const fromMs = idTime(range.from);
  // Nobody said where the oldest days are.
  if (order === "oldest" && fromMs === 0) return { rest: range };
  // Clocks that are ahead may have made newer ids: these are of the first days too.
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
    // Each of its entries is a row of the page.
    return { ids: await readIds(db, list, only, range, page), searchedTo: undefined };
  }
  const { way, reached } = await choose(db, list, ways, range, page, budget);
  const within = reached === undefined ? range : narrow(range, reached, page);
  const ids = await readIds(db, list, way, within, page);
  const isFull = ids.length === page.limit;
  return { ids, searchedTo: isFull || reached === undefined ? undefined : edgeOf(within, page) };
}

const isOrdered = (way: Way) => way.of === "rows" && way.isExact && way.entries.length === 1;

const wholeTable = ({ table, id }: Search) => wayOf({ table, id }, undefined);

/** The way whose entries reach the furthest, and the id that they reach; undefined when they reach the end of the range. */
async function choose(
  db: Connection,
  list: Search,
  ways: Way[],
  range: IdRange,
  page: Page,
  budget: Budget,
): Promise<{ way: Way; reached: string | undefined }> {
  // Each other way over the list itself reaches at least as far as the whole of it.
  const all = ways.some((way) => way.of === "rows") ? ways : [...ways, wholeTable(list)];
  const columns = all.flatMap((way, index) => {
    const isLookedUp = way.of === "events" || list.conditions.lookedUp.length > 0;
    const entriesOfWay = isLookedUp ? budget.lookUps : budget.rows;
    const entryRange = way.of === "events" ? wholeMilliseconds(range) : range;
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
    // The one that stopped first: beyond it, entries of its index are missing.
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

/** The range up to the millisecond of an id, and with it: events and their deliveries share milliseconds, not ids. */
function narrow(range: IdRange, reached: string, page: Page): IdRange {
  const whole = wholeMilliseconds({ from: reached, to: reached });
  return page.order === "oldest"
    ? { ...range, to: whole.to < range.to ? whole.to : range.to }
    : { ...range, from: whole.from > range.from ? whole.from : range.from };
}

/** The id that the next page follows. */
function edgeOf(range: IdRange, page: Page): string {
  return page.order === "oldest" ? idCeiling(idFloor(idTime(range.to) - 1)) : range.from;
}

/** What matches of a way within the range, as far as the page goes. */
async function readIds(db: Connection, list: Search, way: Way, range: IdRange, page: Page): Promise<string[]> {
  const { table, id, conditions, ofEvent } = list;
  if (way.entries.length === 0) return [];
  // OFFSET 0 is a fence: the planner takes the index of the way, whatever it believes about the other conditions.
  const read = (entryRange: IdRange, columns?: SQL) =>
    union(way.entries.map((entries) => sql`${selectRows(entries, entryRange, page, columns)} OFFSET 0`));
  const from =
    way.of === "rows" || ofEvent === undefined
      ? sql`(${read(range, sql`*`)}) AS ${table}`
      : sql`(${read(wholeMilliseconds(range))}) AS found (event_id)
        CROSS JOIN LATERAL ${ofEvent(wholeMilliseconds(range))} AS ${table}`;
  const condition = and(withinRange(id, range), ...conditions.own, ...conditions.lookedUp);
  const { rows } = await db.orm.execute<{ id: string }>(
    sql`SELECT ${id} FROM ${from} WHERE ${condition} ORDER BY ${inOrder(id, page)} LIMIT ${page.limit}`,
  );
  return rows.map((row) => row.id);
}

const union = (parts: SQL[]) =>
  parts.length === 1
    ? sql`${parts[0]}`
    : sql.join(
        parts.map((part) => sql`(${part})`),
        sql` UNION ALL `,
      );

function selectRows({ table, id, on }: Entries, range: IdRange, page: Page, columns: SQL = sql`${id}`): SQL {
  return sql`SELECT ${columns} FROM ${table} WHERE ${and(on, withinRange(id, range))} ORDER BY ${inOrder(id, page)}`;
}
