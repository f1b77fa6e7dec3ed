// Connects a gateway or a worker to PostgreSQL: waits until PostgreSQL answers, migrates it, and checks that the master
// key is the one that encrypted its secrets. Until then no other statement runs.

import { setTimeout as sleep } from "node:timers/promises";

import { SLUICE_VERSION } from "@sluice/shared/domain/version";
import { SluiceError } from "@sluice/shared/runtime/errors";
import type { Logger } from "@sluice/shared/runtime/log";
import { sparing } from "@sluice/shared/runtime/sparing-log";
import type { MasterKey } from "@sluice/shared/settings/master-key";

import { checkMasterKey } from "./configuration-row.ts";
import { type Database, type DatabaseOptions, openDatabase, openPooledDatabase } from "./database.ts";
import { migrate } from "./migrate.ts";
import { isTransient } from "./postgres-errors.ts";
import type { PostgresServer } from "./postgres-server.ts";
import { warnOfConnections } from "./server-connections.ts";

/**
 * A pause doubles from the first value to the second: a restart is noticed at once, and an outage of hours costs
 * little.
 */
const MIN_PAUSE_MS = 500;
const MAX_PAUSE_MS = 5_000;
const RETRY_AFTER_SECONDS = 2;
const LOST_CONNECTION = "an idle connection to PostgreSQL was lost";

export interface ConnectOptions<Name extends string> {
  server: PostgresServer;
  applicationName: string;
  /** The pools of the process, so that the statements of one never wait for those of another. */
  pools: Record<Name, Pick<DatabaseOptions, "maxConnections" | "settings" | "answerLimitMs">>;
  /** The connections that the process may open: all, and those of them that need a session. */
  connections: { all: number; sessions: number };
  masterKey: MasterKey;
  /** The last step of the preparation. A failed preparation runs again, this step included. */
  prepare?: (db: Database) => Promise<void>;
  /** Whether to try again after an error; by default, whether the error passes by itself. */
  waitsFor?: (error: unknown) => boolean;
  log: Logger;
}

export interface ConnectingDatabases<Name extends string> {
  /** Until PostgreSQL is prepared, statements fail with `unavailable`, as if PostgreSQL were away. */
  databases: Record<Name, Database>;
  /** `closed` when they were closed before PostgreSQL was prepared. Rejects with an error that `waitsFor` refuses. */
  prepared: Promise<"prepared" | "closed">;
  close: () => Promise<void>;
}

/**
 * Starts to connect, and tries for as long as it takes. Containers start in any order; if a process gave up, its
 * supervisor would only start it again, with longer pauses than these.
 */
export function connectDatabases<Name extends string>(options: ConnectOptions<Name>): ConnectingDatabases<Name> {
  const closing = new AbortController();
  let isPrepared = false;
  const admit = () => {
    if (!isPrepared) {
      throw new SluiceError("unavailable", "PostgreSQL is not migrated and checked yet; try again in a moment", {
        retryAfterSeconds: RETRY_AFTER_SECONDS,
      });
    }
  };
  const onError = (error: Error) => sparing(options.log).warn({ err: error }, LOST_CONNECTION);
  const { server, applicationName } = options;
  const open = ([name, pool]: [string, ConnectOptions<Name>["pools"][Name]]) =>
    [name, openPooledDatabase(server, { ...pool, applicationName, onError, admit })] as const;
  const databases = Object.fromEntries(
    Object.entries<ConnectOptions<Name>["pools"][Name]>(options.pools).map(open),
  ) as Record<Name, Database>;
  const prepared = retryWhileAway(() => prepareOnce(options, closing.signal), {
    ...options,
    signal: closing.signal,
  }).then((outcome) => {
    isPrepared = outcome !== undefined;
    return isPrepared ? "prepared" : "closed";
  });
  const close = async () => {
    closing.abort();
    await Promise.all(Object.values<Database>(databases).map((db) => db.close()));
  };
  return { databases, prepared, close };
}

/**
 * Runs work that needs PostgreSQL, and runs it again while PostgreSQL is away. The pauses grow.
 * @returns undefined when the signal ended it.
 * @throws an error that `waitsFor` refuses.
 */
export async function retryWhileAway<T>(
  work: () => Promise<T>,
  { waitsFor = isTransient, signal, log }: Pick<ConnectOptions<string>, "waitsFor" | "log"> & { signal: AbortSignal },
): Promise<T | undefined> {
  for (let pauseMs = MIN_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, MAX_PAUSE_MS)) {
    try {
      const result = await work();
      if (pauseMs > MIN_PAUSE_MS) log.info("PostgreSQL answers");
      return result;
    } catch (error) {
      if (signal.aborted) return undefined;
      if (!waitsFor(error)) throw error;
      sparing(log).warn({ err: error }, "waiting for PostgreSQL");
    }
    await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return undefined;
  }
}

async function prepareOnce(options: ConnectOptions<string>, signal: AbortSignal): Promise<true> {
  const { server, masterKey, prepare, applicationName, log } = options;
  await server.requireSessions();
  const onWarning = (message: string) => log.warn({ migration: message }, "a migration changed rows");
  if ((await migrate(server.directUrl, { signal, onWarning })) === "newer") {
    log.info({ version: SLUICE_VERSION }, "the schema is of a newer version, which this version can use: going on");
  }
  const onError = (error: Error) => log.warn({ err: error }, LOST_CONNECTION);
  // A pool of its own, because the pools of the process admit no statement yet.
  const db = openDatabase({ url: server.directUrl, applicationName, maxConnections: 1, onError });
  const cut = () => void db.close();
  signal.addEventListener("abort", cut);
  try {
    await checkMasterKey(db, masterKey);
    await prepare?.(db);
    // A transaction pooler lets many connections share few of the server.
    const isPooled = server.pooling?.kind === "transaction";
    await warnOfConnections(db, isPooled ? options.connections.sessions : options.connections.all, log);
    return true;
  } finally {
    signal.removeEventListener("abort", cut);
    await (signal.aborted ? undefined : db.close());
  }
}
