// Day partitions of the log tables: made ahead, and dropped when they are past retention. Neither takes a lock that
// makes reads or writes of other days wait.

import type pg from "pg";

import { idTime } from "@sluice/shared/domain/ids";

import { type Database, withClient } from "./database.ts";
import { hasSqlState } from "./postgres-errors.ts";

/** The length of one partition, which reaches from midnight to midnight in UTC. */
export const DAY_MS = 86_400_000;
/** check_violation, which PostgreSQL also raises for a row that belongs to no partition. */
const NO_PARTITION = "23514";
/** "part" in ASCII. Only the process that holds this lock changes partitions. */
const LOCK_KEY = 0x7061_7274;
const LOG_TABLES = ["attempts", "deliveries", "event_terms", "events", "rejections"] as const;

/** Makes the partitions from the day of one instant to the day of another, in milliseconds since 1970. */
export async function ensurePartitions(db: Database, firstMs: number, lastMs: number): Promise<void> {
  await withLock(db, (query) =>
    query("SELECT ensure_partitions($1::date, $2::date)", [isoDay(firstMs), isoDay(lastMs)]),
  );
}

/**
 * Runs an insert of rows with these ids. If a partition is missing, makes it and runs the insert again: an event may
 * have waited in the queue for days, or a clock may be ahead.
 */
export async function withPartitions<T>(db: Database, ids: readonly string[], insert: () => Promise<T>): Promise<T> {
  try {
    return await insert();
  } catch (error) {
    if (!lacksPartition(error)) throw error;
    const days = new Set(ids.map((id) => Math.floor(idTime(id) / DAY_MS) * DAY_MS));
    for (const ms of days) await ensurePartitions(db, ms, ms);
    return insert();
  }
}

/** Whether an insert failed because its rows belong to a day whose partition was dropped, or not made yet. */
export const lacksPartition = (error: unknown): boolean => hasSqlState(error, NO_PARTITION);

/**
 * Drops the partitions of all days before the day of `beforeMs`. A day with an unfinished delivery keeps all its
 * partitions until the delivery is finished. A drop that an earlier run left half done is finished first.
 * @returns the names of the dropped tables.
 */
export async function dropOldPartitions(db: Database, beforeMs: number): Promise<string[]> {
  const before = isoDay(beforeMs).replaceAll("-", "");
  const dropped = await dropDetached(db, before);
  const { rows } = await db.pool.query<{ parent: string; name: string }>(
    `SELECT parent.relname AS parent, part.relname AS name ${FROM_PARTITIONS} AND right(part.relname, 8) < $2
     ORDER BY part.relname`,
    [LOG_TABLES, before],
  );
  const unfinished = new Set<string>();
  for (const { name } of rows.filter((row) => row.parent === "deliveries")) {
    const found = await db.pool.query(`SELECT FROM ${name} WHERE next_attempt_at IS NOT NULL LIMIT 1`);
    if (found.rowCount !== 0) unfinished.add(name.slice(-8));
  }
  for (const { parent, name } of rows) {
    if (unfinished.has(name.slice(-8))) continue;
    await withLock(db, async (query) => {
      // CONCURRENTLY waits for the statements that run, and does not make new ones wait.
      await query(`ALTER TABLE ${parent} DETACH PARTITION ${name} CONCURRENTLY`);
      await query(`DROP TABLE ${name}`);
    });
    dropped.push(name);
  }
  return dropped;
}

const FROM_PARTITIONS = `FROM pg_inherits JOIN pg_class parent ON parent.oid = inhparent JOIN pg_class part ON part.oid = inhrelid
  WHERE parent.relname = ANY($1) AND parent.relnamespace = to_regnamespace(current_schema())`;

/**
 * Finishes drops that a worker began before it died. A detach has two transactions, and the drop is a third. A worker
 * that dies in between leaves a partition that is half detached, which blocks every other detach, or a table that is no
 * partition any more.
 */
async function dropDetached(db: Database, before: string): Promise<string[]> {
  const dropped: string[] = [];
  // A table that is no partition is the rest of a drop: while we hold the lock, nobody is making partitions.
  await withLock(db, async (query) => {
    const pending = await query<{ parent: string; name: string }>(
      `SELECT parent.relname AS parent, part.relname AS name ${FROM_PARTITIONS} AND inhdetachpending`,
      [LOG_TABLES],
    );
    for (const { parent, name } of pending) await query(`ALTER TABLE ${parent} DETACH PARTITION ${name} FINALIZE`);
    const left = await query<{ name: string }>(
      `SELECT relname AS name FROM pg_class
       WHERE relkind = 'r' AND NOT relispartition AND relnamespace = to_regnamespace(current_schema())
         AND relname ~ ('^(' || array_to_string($1::text[], '|') || ')_[0-9]{8}$') AND right(relname, 8) < $2`,
      [LOG_TABLES, before],
    );
    for (const { name } of left) {
      await query(`DROP TABLE ${name}`);
      dropped.push(name);
    }
  });
  return dropped;
}

function isoDay(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

type PartitionQuery = <Row extends object>(text: string, values?: unknown[]) => Promise<Row[]>;

/**
 * The longest timeout that pg takes, because it cannot switch the pool's timeout off for one statement. A detach waits
 * for the statements that run, and a client that gives up leaves it half done.
 */
const NO_TIMEOUT_MS = 2 ** 31 - 1;

/** Runs work while this process holds the lock on the partitions. */
async function withLock(db: Database, work: (query: PartitionQuery) => Promise<unknown>): Promise<void> {
  await withClient(db, async (client) => {
    const query: PartitionQuery = async <Row extends object>(text: string, values: unknown[] = []) => {
      // The types of pg lack `query_timeout` of a single statement.
      const statement: pg.QueryConfig = Object.assign({ text, values }, { query_timeout: NO_TIMEOUT_MS });
      return (await client.query<Row>(statement)).rows;
    };
    await query("SELECT pg_advisory_lock($1)", [LOCK_KEY]);
    await work(query);
    await query("SELECT pg_advisory_unlock($1)", [LOCK_KEY]);
  });
}
