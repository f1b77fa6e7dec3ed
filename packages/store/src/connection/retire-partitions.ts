// Removes the partitions of days past retention. What belongs to an unfinished delivery stays, in a small partition
// beside the days: `<table>_kept_<first day>_<last day>`. A drop never waits for long and never makes others wait for
// long: it tries, and the caller comes back. The functions of the database do the work (drizzle/0017_retention.sql).

import type pg from "pg";

import { idFloor } from "@sluice/shared/domain/ids";

import { type Database, withClient } from "./database.ts";
import { DAY_MS, isoDay } from "./partitions.ts";
import { hasSqlState } from "./postgres-errors.ts";

const LOG_TABLES = ["attempts", "deliveries", "event_terms", "events", "rejections"] as const;
/** PostgreSQL raises this when `lock_timeout` ends a wait. */
const LOCK_NOT_AVAILABLE = "55P03";
/** A kept partition takes the rows of further days until it has this size. Then another one begins. */
const MAX_KEPT_BYTES = 256 * 1024 * 1024;
/**
 * The longest timeout that pg takes, because it cannot switch the pool's timeout off for one statement. Copying what is
 * unfinished may take minutes, and holds up nobody.
 */
const NO_TIMEOUT_MS = 2 ** 31 - 1;

export interface Retired {
  /** The names of the tables that are gone. */
  dropped: string[];
  /** The days past retention whose partitions are still there, such as `20260131`, each with the reason. */
  overdue: { day: string; reason: unknown }[];
}

/** Days as the names of partitions have them, both included. */
interface DayRange {
  first: string;
  last: string;
}

interface Partition extends DayRange {
  parent: string;
  name: string;
  isKept: boolean;
  /** Half of a `DETACH … CONCURRENTLY`, as versions before this one made it. */
  isPending: boolean;
}

type Query = <Row extends object>(text: string, values?: unknown[]) => Promise<Row[]>;

type Outcome = { kind: "retired"; dropped: string[] } | { kind: "left"; reason: unknown };

/** Removes the partitions of all days before the day of `beforeMs`, as far as no other transaction has them locked. */
export async function retirePartitions(db: Database, beforeMs: number): Promise<Retired> {
  const before = compact(isoDay(beforeMs));
  const { dropped, left } = await finishOldDrops(db, before);
  const partitions = (await listPartitions(db)).filter(({ last }) => last < before);
  const days = new Set([...left.keys(), ...partitions.filter(({ isKept }) => !isKept).map(({ last }) => last)]);
  // Once a transaction has locked a whole table, each further try would only make others wait.
  let isBusy = false;
  const retire = async (range: DayRange) => {
    if (isBusy) return;
    const outcome = left.has(range.last) ? undefined : await retireRange(db, range);
    if (outcome?.kind === "retired") dropped.push(...outcome.dropped);
    else if (outcome !== undefined) left.set(range.last, outcome.reason);
    isBusy = outcome?.kind === "left" && (outcome.reason === "tables_busy" || outcome.reason === "running");
  };
  for (const day of [...days].toSorted()) {
    await retire(await chooseRange(db, day, left));
    if (isBusy) left.set(day, "tables_busy");
  }
  for (const range of await listKept(db)) {
    // A kept partition goes when nothing in it or before it is unfinished.
    if (!isBusy && !(await hasUnfinished(db, range.last))) await retire(range);
  }
  return { dropped, overdue: [...left].map(([day, reason]) => ({ day, reason })) };
}

/** @returns how many days the oldest partition of the log reaches back before the day of `beforeMs`. */
export async function countHeldDays(db: Database, beforeMs: number): Promise<number> {
  const firsts = (await listPartitions(db)).map(({ first }) => startOf(first));
  return Math.max(0, Math.ceil((beforeMs - Math.min(...firsts)) / DAY_MS));
}

/**
 * Chooses the days of the kept partition for what is unfinished on one day: those of the newest kept partition and this
 * day, unless that partition is large or a day between them is still there.
 */
async function chooseRange(db: Database, day: string, left: ReadonlyMap<string, unknown>): Promise<DayRange> {
  const kept = await listKept(db);
  const covering = kept.find(({ first, last }) => first <= day && day <= last);
  if (covering !== undefined) return covering;
  const newest = kept.at(-1);
  if (newest === undefined || newest.last > day || newest.bytes >= MAX_KEPT_BYTES) return { first: day, last: day };
  const isBetween = [...left.keys()].some((each) => newest.first <= each && each < day);
  return isBetween ? { first: day, last: day } : { first: newest.first, last: day };
}

async function retireRange(db: Database, { first, last }: DayRange): Promise<Outcome> {
  try {
    const [result] = await inTransaction(db, (query) =>
      query<{ outcome: string; dropped: string[] }>("SELECT * FROM retire_days($1::date, $2::date)", [first, last]),
    );
    if (result?.outcome === "retired") return { kind: "retired", dropped: result.dropped };
    return { kind: "left", reason: result?.outcome };
  } catch (error) {
    // Failure policy: open. A day that cannot be dropped MUST NOT keep the others.
    return { kind: "left", reason: hasSqlState(error, LOCK_NOT_AVAILABLE) ? "tables_busy" : error };
  }
}

/**
 * Finishes drops of workers of an older version that died. Their detach had two transactions, and the drop was a third,
 * so that they left partitions that are half detached, and tables that are no partition any more.
 * @returns the names of the tables that are gone, and the days of which something is left, with the reason.
 */
async function finishOldDrops(
  db: Database,
  before: string,
): Promise<{ dropped: string[]; left: Map<string, unknown> }> {
  const dropped: string[] = [];
  const left = new Map<string, unknown>();
  /** Failure policy: open. What cannot be finished MUST NOT keep other days. */
  const attempt = async (day: string, statement: string) => {
    try {
      await inTransaction(db, (query) => query(statement));
      return true;
    } catch (error) {
      left.set(day, hasSqlState(error, LOCK_NOT_AVAILABLE) ? "days_busy" : error);
      return false;
    }
  };
  const attached = await listPartitions(db);
  for (const { parent, name, last, isPending } of attached) {
    if (isPending) await attempt(last, `ALTER TABLE ${parent} DETACH PARTITION ${name} FINALIZE`);
  }
  const { rows } = await db.pool.query<{ name: string }>(
    `SELECT relname AS name FROM pg_class
     WHERE relkind = 'r' AND NOT relispartition AND relnamespace = to_regnamespace(current_schema())
       AND relname ~ ('^(' || array_to_string($1::text[], '|') || ')_[0-9]{8}$') AND right(relname, 8) < $2`,
    [LOG_TABLES, before],
  );
  for (const { name } of rows) {
    const day = name.slice(-8);
    const hasEvents = attached.some((each) => each.name === `events_${day}`);
    if (name === `deliveries_${day}` && hasEvents && (await hasRow(db, name, "next_attempt_at IS NOT NULL"))) {
      // Somebody retried a delivery before its partition was detached. The partition goes back, and the delivery is
      // kept as others are.
      const bounds = `FROM ('${idFloor(startOf(day))}') TO ('${idFloor(startOf(day) + DAY_MS)}')`;
      await attempt(day, `ALTER TABLE deliveries ATTACH PARTITION ${name} FOR VALUES ${bounds}`);
    } else if (await attempt(day, `DROP TABLE IF EXISTS ${name}`)) {
      dropped.push(name);
    }
  }
  return { dropped, left };
}

/** Runs work in a transaction that waits for no lock of others for long, and whose statements may take long. */
async function inTransaction<T>(db: Database, work: (query: Query) => Promise<T>): Promise<T> {
  return withClient(db, async (client) => {
    const query: Query = async <Row extends object>(text: string, values: unknown[] = []) => {
      // The types of pg lack `query_timeout` of a single statement.
      const statement: pg.QueryConfig = Object.assign({ text, values }, { query_timeout: NO_TIMEOUT_MS });
      return (await client.query<Row>(statement)).rows;
    };
    await query("BEGIN");
    await query("SET LOCAL statement_timeout = 0");
    await query("SET LOCAL lock_timeout = '200ms'");
    const result = await work(query);
    await query("COMMIT");
    return result;
  });
}

async function listPartitions(db: Database): Promise<Partition[]> {
  const { rows } = await db.pool.query<Partition>(
    `SELECT parent.relname AS parent, part.relname AS name, right(part.relname, 8) AS last,
       CASE WHEN part.relname ~ $2 THEN left(right(part.relname, 17), 8) ELSE right(part.relname, 8) END AS first,
       part.relname ~ $2 AS "isKept", inhdetachpending AS "isPending"
     FROM pg_inherits JOIN pg_class parent ON parent.oid = inhparent JOIN pg_class part ON part.oid = inhrelid
     WHERE parent.relname = ANY($1) AND parent.relnamespace = to_regnamespace(current_schema())
     ORDER BY part.relname`,
    [LOG_TABLES, "_kept_[0-9]{8}_[0-9]{8}$"],
  );
  return rows;
}

/** @returns the ranges of the kept partitions, the oldest first, each with the size of its tables. */
async function listKept(db: Database): Promise<(DayRange & { bytes: number })[]> {
  const { rows } = await db.pool.query<DayRange & { bytes: string }>(
    `SELECT left(right(part.relname, 17), 8) AS first, right(part.relname, 8) AS last,
       sum(pg_total_relation_size(part.oid)) AS bytes
     FROM pg_inherits JOIN pg_class parent ON parent.oid = inhparent JOIN pg_class part ON part.oid = inhrelid
     WHERE parent.relname = ANY($1) AND parent.relnamespace = to_regnamespace(current_schema())
       AND part.relname ~ '_kept_[0-9]{8}_[0-9]{8}$'
     GROUP BY 1, 2 ORDER BY 1`,
    [LOG_TABLES],
  );
  return rows.map((row) => ({ ...row, bytes: Number(row.bytes) }));
}

/** Whether a delivery of a day or of an earlier one is unfinished. */
async function hasUnfinished(db: Database, day: string): Promise<boolean> {
  return hasRow(db, "deliveries", `id < '${idFloor(startOf(day) + DAY_MS)}' AND next_attempt_at IS NOT NULL`);
}

/** @param table our own SQL text, as is `condition`. */
async function hasRow(db: Database, table: string, condition: string): Promise<boolean> {
  const { rowCount } = await db.pool.query(`SELECT FROM ${table} WHERE ${condition} LIMIT 1`);
  return rowCount !== 0;
}

/** `2026-01-31` as it stands in the name of a partition. */
const compact = (day: string) => day.replaceAll("-", "");
/** @returns the first instant of a day such as `20260131`, in milliseconds since 1970. */
const startOf = (day: string) => Date.parse(`${day.slice(0, 4)}-${day.slice(4, 6)}-${day.slice(6)}`);
