// Makes every pool of connections to PostgreSQL, for our own statements and for BullMQ's. A pool works alike by a
// transaction pooler and without one: no setting is in the startup message, which poolers refuse, and none is left in a
// session that other clients get.

import { callbackify } from "node:util";

import pg from "pg";

import { parseExactJson } from "@sluice/shared/domain/exact-json";

import type { Pooling } from "./pooling.ts";
import type { PostgresServer } from "./postgres-server.ts";

// The numbers of stored JSON keep all their digits, as callers gave them.
pg.types.setTypeParser(pg.types.builtins.JSONB, parseExactJson);

export interface PoolOptions {
  applicationName: string;
  maxConnections: number;
  /** How long this process waits for the answer to a statement. PostgreSQL cancels the statement a little earlier. */
  answerLimitMs: number;
  /** Settings of PostgreSQL for the statements of this pool, such as `STEADY_PLANS`. */
  settings?: Record<string, string>;
  /** In milliseconds; 5 seconds by default. */
  connectTimeoutMs?: number;
  /** Called for each new connection. When it throws, the statement that needs the connection fails with that error. */
  admit?: () => void;
}

const CONNECT_TIMEOUT_MS = 5_000;
/** Below 1, so that PostgreSQL says that a statement took too long, unless PostgreSQL went silent. */
const STATEMENT_SHARE = 0.9;

/** Opens a pool whose connections go by `server.url`. Finds out first what is in between. */
export function openPool(server: PostgresServer, options: PoolOptions): pg.Pool {
  return new ServerPool(
    server,
    poolConfig(server.url, options, () => server.pooling),
  );
}

/** Opens a pool whose connections are sessions: past a transaction pooler. */
export function openSessionPool(server: PostgresServer, options: PoolOptions): pg.Pool {
  const session: Pooling = { kind: "session", keepsPreparedStatements: true };
  return new pg.Pool(poolConfig(server.directUrl, options, () => session));
}

function poolConfig(url: string, options: PoolOptions, readPooling: () => Pooling | undefined): pg.PoolConfig {
  const statementTimeoutMs = Math.floor(options.answerLimitMs * STATEMENT_SHARE);
  const settings = Object.entries({ statement_timeout: String(statementTimeoutMs), ...options.settings });
  const inSession = settings.map(([name, value]) => `SET ${name} = ${value}`).join("; ");
  const inTransaction = settings.map(([name, value]) => `SET LOCAL ${name} = ${value}`).join("; ");
  return {
    connectionString: url,
    application_name: options.applicationName,
    max: options.maxConnections,
    connectionTimeoutMillis: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
    query_timeout: options.answerLimitMs,
    keepAlive: true,
    Client: class extends PooledClient {
      constructor(config?: pg.ClientConfig) {
        super(readPooling(), inTransaction, config);
      }
    },
    // The pool waits for the promise before it hands out the connection, although its type does not say so.
    // oxlint-disable-next-line typescript/no-misused-promises
    onConnect: async (client) => {
      options.admit?.();
      if (readPooling()?.kind === "session") await client.query(inSession);
    },
  };
}

type ConnectCallback = (error: Error | undefined, client: pg.PoolClient | undefined, done: () => void) => void;

/** A pool that makes no connection before it is known what is between it and PostgreSQL. */
class ServerPool extends pg.Pool {
  readonly #server: PostgresServer;

  constructor(server: PostgresServer, config: pg.PoolConfig) {
    super(config);
    this.#server = server;
  }

  // `never` is a subtype of what each signature of the driver returns.
  override connect(callback?: ConnectCallback): never {
    const connect = super.connect.bind(this) as (callback?: ConnectCallback) => Promise<pg.PoolClient> | undefined;
    if (this.#server.pooling !== undefined) return connect(callback) as never;
    if (callback === undefined) return this.#server.findPooling().then(() => connect()) as never;
    callbackify(() => this.#server.findPooling())((error) => {
      if (error) callback(error, undefined, () => undefined);
      else void connect(callback);
    });
    return undefined as never;
  }
}

type SendQuery = (query: unknown, values?: unknown, callback?: unknown) => Promise<pg.QueryResult> | undefined;

const BEGINS = /^\s*(?:begin|start\s+transaction)\b/i;

/**
 * A connection that leaves nothing in its session by a transaction pooler. There, each statement that is not in a
 * transaction is put into one, which first makes the settings, by SET LOCAL. BEGIN, the statement and COMMIT are sent
 * together, so that a statement is still one round trip.
 */
class PooledClient extends pg.Client {
  readonly #pooling: Pooling | undefined;
  readonly #settings: string;
  /** The statements under way that this class put into transactions. */
  #wrapped = 0;

  constructor(pooling: Pooling | undefined, settings: string, config?: pg.ClientConfig) {
    // The driver sends a statement before it has the answer to the last one only in its pipeline mode, which its types
    // lack.
    super({ ...config, ...(pooling?.kind === "transaction" && { pipeline: true }) });
    this.#pooling = pooling;
    this.#settings = settings;
  }

  // `never` is a subtype of what each signature of the driver returns.
  override query(query: unknown, values?: unknown, callback?: unknown): never {
    const send = super.query.bind(this) as unknown as SendQuery;
    const sent = this.#pooling?.keepsPreparedStatements === false ? withoutName(query) : query;
    if (this.#pooling?.kind !== "transaction") return send(sent, values, callback) as never;
    if (typeof values === "function") return this.query(query, undefined, values);
    const run = (text: unknown, list?: unknown) => send(text, list) ?? Promise.reject(new TypeError("no promise"));
    const result = this.#runInTransaction(run, sent, values);
    if (typeof callback !== "function") return result as never;
    callbackify(() => result)(callback as (error: Error | null, value?: pg.QueryResult) => void);
    return undefined as never;
  }

  async #runInTransaction(
    run: (query: unknown, values?: unknown) => Promise<pg.QueryResult>,
    query: unknown,
    values: unknown,
  ): Promise<pg.QueryResult> {
    // While a statement of this class runs, the connection is in that statement's transaction, and not in the caller's.
    if (this.#wrapped === 0 && this.getTransactionStatus() !== "I") return run(query, values);
    if (BEGINS.test(textOf(query))) return (await Promise.all([run(query, values), run(this.#settings)]))[0];
    this.#wrapped++;
    try {
      const results = [run(`BEGIN; ${this.#settings}`), run(query, values), run("COMMIT")] as const;
      await Promise.allSettled(results);
      // The first error is the cause of the others.
      await results[0];
      const result = await results[1];
      await results[2];
      return result;
    } finally {
      this.#wrapped--;
    }
  }
}

/** The statement as one that is not prepared for later ones. */
function withoutName(query: unknown): unknown {
  if (typeof query !== "object" || query === null || !("name" in query)) return query;
  return { ...query, name: undefined };
}

function textOf(query: unknown): string {
  if (typeof query === "string") return query;
  return typeof query === "object" && query !== null && "text" in query ? String(query.text) : "";
}
