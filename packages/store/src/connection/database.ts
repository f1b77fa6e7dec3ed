// The connection to PostgreSQL: one pool, with Drizzle for the API's queries and plain prepared statements for the
// statements that run for every event.

import { type SQL, sql } from "drizzle-orm";
import { drizzle, type NodePgDatabase, type NodePgQueryResultHKT } from "drizzle-orm/node-postgres";
import type { PgDatabase } from "drizzle-orm/pg-core";
import type pg from "pg";

import { settlesWithin } from "@sluice/shared/runtime/within";

import { openPool, openSessionPool, type PoolOptions } from "./open-pool.ts";
import { PostgresServer } from "./postgres-server.ts";

/**
 * Runs statements: the database itself, or a transaction of it as `{ orm: tx }`. A transaction inside a transaction is
 * a savepoint.
 */
export interface Connection {
  orm: PgDatabase<NodePgQueryResultHKT>;
}

export interface Database extends Connection {
  pool: pg.Pool;
  orm: NodePgDatabase;
  close: () => Promise<void>;
}

/** The Drizzle object that a transaction's function gets. */
export type Transaction = Parameters<Parameters<NodePgDatabase["transaction"]>[0]>[0];

/**
 * Runs work on one connection of the pool. Closes the connection when the work failed, because it may still be busy;
 * that also frees the locks of its session.
 */
export async function withClient<T>(db: Database, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await db.pool.connect();
  let hasFailed = true;
  try {
    const result = await work(client);
    hasFailed = false;
    return result;
  } finally {
    client.release(hasFailed);
  }
}

/** Runs a statement: on the database as a prepared statement with this name, in a transaction without preparing it. */
export async function runPrepared<Row extends pg.QueryResultRow>(
  db: Database | Connection,
  { name, text, values }: { name: string; text: string; values: unknown[] },
): Promise<Row[]> {
  if ("pool" in db) return (await db.pool.query<Row>({ name, text, values })).rows;
  const { rows } = await db.orm.execute<Row>(bindValues(text, values));
  return rows as Row[];
}

/** Binds the values to `$1`, `$2` and so on. A list stays one parameter. @param text our own, never a caller's. */
function bindValues(text: string, values: readonly unknown[]): SQL {
  const parts = text.split(/\$([0-9]+)/);
  return sql.join(parts.map((part, index) => (index % 2 === 0 ? sql.raw(part) : sql.param(values[Number(part) - 1]))));
}

export interface DatabaseOptions extends Omit<PoolOptions, "answerLimitMs" | "connectTimeoutMs"> {
  /** In milliseconds; by default far longer than any of our statements. */
  answerLimitMs?: number;
  /** Gets the error of an idle connection that was lost. */
  onError: (error: Error) => void;
}

const ANSWER_LIMIT_MS = 60_000;
/** How long a close waits before it cuts connections that are busy: the process is stopping and MUST NOT hang. */
const CLOSE_LIMIT_MS = 1_000;

/**
 * Settings for the statements of a worker. Its few statements all start from a short list of ids, and these settings
 * keep them on the plan that looks up each id in an index. Without them the planner plans anew for each batch
 * (milliseconds, over a month of partitions), and chooses a plan that reads every pending delivery as soon as there are
 * many.
 */
export const STEADY_PLANS = {
  plan_cache_mode: "force_generic_plan",
  enable_hashjoin: "off",
  enable_mergejoin: "off",
  enable_seqscan: "off",
  jit: "off",
};

/**
 * Settings for the API's queries, which all read a page in the order of an index and stop when it is full. A
 * bitmap scan has no order, so that it reads every match first, and the planner prefers it where it expects few
 * matches. For one page, neither JIT compilation nor a parallel worker is worth its start.
 */
export const SEARCH_PLANS = {
  enable_seqscan: "off",
  enable_bitmapscan: "off",
  jit: "off",
  max_parallel_workers_per_gather: "0",
};

/** Opens a pool of sessions, by a URL that leads to no transaction pooler. */
export function openDatabase({ url, ...options }: DatabaseOptions & { url: string }): Database {
  return toDatabase(openSessionPool(new PostgresServer({ url }), withLimit(options)), options);
}

/** Opens a pool that also works by a transaction pooler. */
export function openPooledDatabase(server: PostgresServer, options: DatabaseOptions): Database {
  return toDatabase(openPool(server, withLimit(options)), options);
}

const withLimit = (options: DatabaseOptions): PoolOptions => ({ answerLimitMs: ANSWER_LIMIT_MS, ...options });

function toDatabase(pool: pg.Pool, { onError }: Pick<DatabaseOptions, "onError">): Database {
  // Without a listener, the process would end when the server closes an idle connection.
  pool.on("error", onError);
  surviveLostConnections(pool);
  return { pool, orm: drizzle(pool), close: closerOf(pool) };
}

/**
 * Keeps the process alive when a connection is lost between two statements of a transaction; the next statement fails
 * and says why. MUST be called on every pool, because a pool listens only to its idle clients.
 */
export function surviveLostConnections(pool: pg.Pool): void {
  pool.on("connect", (client) => client.on("error", ignore));
}

const ignore = () => undefined;

/**
 * Makes the function that ends a pool in bounded time: after the limit it cuts the connections that are still busy,
 * also when the server went silent. MUST be called before the pool connects.
 */
export function closerOf(pool: pg.Pool): () => Promise<void> {
  const clients = new Set<pg.PoolClient>();
  pool.on("connect", (client) => clients.add(client));
  pool.on("remove", (client) => clients.delete(client));
  return async () => {
    const ended = pool.end();
    if (await settlesWithin(CLOSE_LIMIT_MS, ended)) return ended;
    // While a statement runs, `end` destroys the socket. The type of a pool's client in @types/pg lacks it.
    for (const client of clients) (client as unknown as pg.Client).end().catch(ignore);
    await settlesWithin(CLOSE_LIMIT_MS, ended);
  };
}
