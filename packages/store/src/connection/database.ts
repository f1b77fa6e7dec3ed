// The connection to PostgreSQL: one pool, with Drizzle for the API's queries and plain prepared statements
// where the relay is hot.

import { type SQL, sql } from "drizzle-orm";
import { drizzle, type NodePgDatabase, type NodePgQueryResultHKT } from "drizzle-orm/node-postgres";
import type { PgDatabase } from "drizzle-orm/pg-core";
import pg from "pg";

import { SluiceError } from "@sluice/shared/runtime/errors";
import { settlesWithin } from "@sluice/shared/runtime/within";

/**
 * What runs statements: the database, or a transaction of it as `{ orm: tx }`. A transaction of a transaction is a
 * savepoint.
 */
export interface Connection {
  orm: PgDatabase<NodePgQueryResultHKT>;
}

export interface Database extends Connection {
  pool: pg.Pool;
  orm: NodePgDatabase;
  close: () => Promise<void>;
}

/** A statement of the hot path: on the database prepared by its name, in a transaction as it is. */
export async function runPrepared<Row extends pg.QueryResultRow>(
  db: Database | Connection,
  { name, text, values }: { name: string; text: string; values: unknown[] },
): Promise<Row[]> {
  if ("pool" in db) return (await db.pool.query<Row>({ name, text, values })).rows;
  const { rows } = await db.orm.execute<Row>(bind(text, values));
  return rows as Row[];
}

/** Our own text with its `$1` and so on bound; a list as one parameter. */
function bind(text: string, values: readonly unknown[]): SQL {
  const parts = text.split(/\$([0-9]+)/);
  return sql.join(parts.map((part, index) => (index % 2 === 0 ? sql.raw(part) : sql.param(values[Number(part) - 1]))));
}

export interface DatabaseOptions {
  url: string;
  applicationName: string;
  maxConnections: number;
  /** Parameters of every session, such as {@link STEADY_PLANS}. */
  settings?: Record<string, string>;
  onError: (error: Error) => void;
  /** Asked for each new connection; what it throws is the failure of the statement that wanted one. */
  admit?: () => void;
}

const CONNECT_TIMEOUT_MS = 5_000;
/** Far above any statement of ours; it frees a connection whose server went silent. */
const QUERY_TIMEOUT_MS = 60_000;
/** Then a close cuts what still runs: whoever closes is stopping, and its statements are not worth a hang. */
const CLOSE_LIMIT_MS = 1_000;

/**
 * For the worker's few statements, which all start from a short list of ids: always the plan that looks each one
 * up by index. Left alone, the planner makes a new plan for each batch (milliseconds, over a month of
 * partitions), and changes to one that reads every waiting delivery as soon as there are many.
 */
export const STEADY_PLANS = {
  plan_cache_mode: "force_generic_plan",
  enable_hashjoin: "off",
  enable_mergejoin: "off",
  enable_seqscan: "off",
  jit: "off",
};

/**
 * For the API's queries: all of them read a page in the order of an index and stop when it is full. A bitmap knows no
 * order and so reads everything first, which the planner prefers where it expects little; and for a page neither a
 * compiler nor a second process pays.
 */
export const SEARCH_PLANS = {
  enable_seqscan: "off",
  enable_bitmapscan: "off",
  jit: "off",
  max_parallel_workers_per_gather: "0",
};

export function openDatabase(options: DatabaseOptions): Database {
  const settings = Object.entries(options.settings ?? {}).map(([name, value]) => `SET ${name} = ${value}`);
  const pool = new pg.Pool({
    connectionString: options.url,
    application_name: options.applicationName,
    max: options.maxConnections,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: QUERY_TIMEOUT_MS,
    keepAlive: true,
    // The pool waits for the promise before it hands the connection out; its type does not say so.
    // oxlint-disable-next-line typescript/no-misused-promises
    onConnect: async (client) => {
      options.admit?.();
      if (settings.length > 0) await client.query(settings.join("; "));
    },
  });
  // Without a listener, an idle connection that the server closes would end the process.
  pool.on("error", options.onError);
  surviveLostConnections(pool);
  return { pool, orm: drizzle(pool), close: closerOf(pool) };
}

/**
 * The pool listens to its idle clients alone: MUST be called on every pool, or a connection that is lost between
 * the statements of a transaction ends the process. The statement after it fails, and says why.
 */
export function surviveLostConnections(pool: pg.Pool): void {
  pool.on("connect", (client) => client.on("error", ignore));
}

const ignore = () => undefined;

/**
 * How to end a pool in bounded time: what is still busy when the limit is over is cut, also where the server went
 * silent. MUST be asked for before the pool connects.
 */
export function closerOf(pool: pg.Pool): () => Promise<void> {
  const clients = new Set<pg.PoolClient>();
  pool.on("connect", (client) => clients.add(client));
  pool.on("remove", (client) => clients.delete(client));
  return async () => {
    const ended = pool.end();
    if (await settlesWithin(CLOSE_LIMIT_MS, ended)) return ended;
    // With a statement under way, this destroys the socket; @types/pg keeps it from a pool's client.
    for (const client of clients) (client as unknown as pg.Client).end().catch(ignore);
    await settlesWithin(CLOSE_LIMIT_MS, ended);
  };
}

// SQLSTATE classes and codes: https://www.postgresql.org/docs/current/errcodes-appendix.html

/** Data exception, integrity constraint violation, program limit exceeded: the same rows fail the same way again. */
const DATA_CLASSES = ["22", "23", "54"];

/**
 * Whether an error says that the rows themselves cannot be written, so that trying them again is of no use. What
 * says anything else (a standby, a missing right, a full disk, no connection) or nothing known is no data fault:
 * it is the operator's to repair, and rows that were acknowledged MUST wait for that.
 */
export function isDataFault(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  // Thrown by our own code on its way to a statement, by an invalid date for one.
  if (error instanceof TypeError || error instanceof RangeError) return true;
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  if (/^[0-9A-Z]{5}$/.test(code)) return DATA_CLASSES.includes(code.slice(0, 2));
  return isDataFault(error.cause);
}

/** "Try again later". */
const TRANSIENT_CLASSES = ["08", "53", "57", "40"];
/** A statement that somebody cancelled says nothing of the server. */
const QUERY_CANCELED = "57014";
/** A standby that was not promoted yet, or a server that was made read-only. */
const READ_ONLY = "25006";
const TRANSIENT_SYSTEM_CODES = [
  "ECONNREFUSED",
  "ECONNRESET",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EPIPE",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENOENT",
];
const TRANSIENT_MESSAGES =
  /Connection terminated|timeout exceeded|Query read timeout|Client has encountered a connection error|not queryable/;

/** Whether an error says for certain that PostgreSQL is away, busy or read-only, and that this passes. */
export function isTransient(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error instanceof SluiceError) return error.code === "unavailable";
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  if (TRANSIENT_SYSTEM_CODES.includes(code)) return true;
  if (/^[0-9A-Z]{5}$/.test(code)) {
    return code === READ_ONLY || (TRANSIENT_CLASSES.includes(code.slice(0, 2)) && code !== QUERY_CANCELED);
  }
  if (error instanceof AggregateError) return error.errors.some(isTransient);
  return TRANSIENT_MESSAGES.test(error.message) || isTransient(error.cause);
}

/** Whether PostgreSQL refused a statement with this SQLSTATE (also inside Drizzle's wrapper). */
export function hasSqlState(error: unknown, sqlState: string): boolean {
  if (!(error instanceof Error)) return false;
  return ("code" in error && error.code === sqlState) || hasSqlState(error.cause, sqlState);
}
