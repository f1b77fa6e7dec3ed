// Connects a gateway or a worker to PostgreSQL: waits until PostgreSQL answers, migrates it, and checks that the master
// key is the one that encrypted its secrets. Until then no other statement runs.

import { setTimeout as sleep } from "node:timers/promises";

import { SLUICE_VERSION } from "@sluice/shared/domain/version";
import { SluiceError } from "@sluice/shared/runtime/errors";
import type { Logger } from "@sluice/shared/runtime/log";
import { sparing } from "@sluice/shared/runtime/sparing-log";
import type { MasterKey } from "@sluice/shared/settings/master-key";

import { checkMasterKey } from "./configuration-row.ts";
import { type Database, type DatabaseOptions, openDatabase } from "./database.ts";
import { migrate } from "./migrate.ts";
import { isTransient } from "./postgres-errors.ts";

/**
 * A pause doubles from the first value to the second: a restart is noticed at once, and an outage of hours costs
 * little.
 */
const MIN_PAUSE_MS = 500;
const MAX_PAUSE_MS = 5_000;
const RETRY_AFTER_SECONDS = 2;
const LOST_CONNECTION = "an idle connection to PostgreSQL was lost";

export interface ConnectOptions extends Omit<DatabaseOptions, "onError" | "admit"> {
  masterKey: MasterKey;
  /** The last step of the preparation. A failed preparation runs again, this step included. */
  prepare?: (db: Database) => Promise<void>;
  /** Whether to try again after an error; by default, whether the error passes by itself. */
  waitsFor?: (error: unknown) => boolean;
  log: Logger;
}

export interface ConnectingDatabase {
  /** Until PostgreSQL is prepared, statements fail with `unavailable`, as if PostgreSQL were away. */
  db: Database;
  /** `closed` when `db` was closed before PostgreSQL was prepared. Rejects with an error that `waitsFor` refuses. */
  prepared: Promise<"prepared" | "closed">;
}

/**
 * Starts to connect, and tries for as long as it takes. Containers start in any order; if a process gave up, its
 * supervisor would only start it again, with longer pauses than these.
 */
export function connectDatabase(options: ConnectOptions): ConnectingDatabase {
  const closing = new AbortController();
  let isPrepared = false;
  const db = openDatabase({
    ...options,
    onError: (error) => sparing(options.log).warn({ err: error }, LOST_CONNECTION),
    admit: () => {
      if (!isPrepared) {
        throw new SluiceError("unavailable", "PostgreSQL is not migrated and checked yet; try again in a moment", {
          retryAfterSeconds: RETRY_AFTER_SECONDS,
        });
      }
    },
  });
  const prepared = retryWhileAway(() => prepareOnce(options, closing.signal), {
    ...options,
    signal: closing.signal,
  }).then((outcome) => {
    isPrepared = outcome !== undefined;
    return isPrepared ? "prepared" : "closed";
  });
  const close = async () => {
    closing.abort();
    await db.close();
  };
  return { db: { ...db, close }, prepared };
}

/**
 * Runs work that needs PostgreSQL, and runs it again while PostgreSQL is away. The pauses grow.
 * @returns undefined when the signal ended it.
 * @throws an error that `waitsFor` refuses.
 */
export async function retryWhileAway<T>(
  work: () => Promise<T>,
  { waitsFor = isTransient, signal, log }: Pick<ConnectOptions, "waitsFor" | "log"> & { signal: AbortSignal },
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

async function prepareOnce(options: ConnectOptions, signal: AbortSignal): Promise<true> {
  const { url, masterKey, prepare, applicationName, log } = options;
  if ((await migrate(url, signal)) === "newer") {
    log.info({ version: SLUICE_VERSION }, "the schema is of a newer version, which this version can use: going on");
  }
  const onError = (error: Error) => log.warn({ err: error }, LOST_CONNECTION);
  // A pool of its own, because the pool of the process admits no statement yet.
  const db = openDatabase({ url, applicationName, maxConnections: 1, onError });
  const cut = () => void db.close();
  signal.addEventListener("abort", cut);
  try {
    await checkMasterKey(db, masterKey);
    await prepare?.(db);
    return true;
  } finally {
    signal.removeEventListener("abort", cut);
    await (signal.aborted ? undefined : db.close());
  }
}
