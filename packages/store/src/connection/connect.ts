// What gateway and worker do first: wait for PostgreSQL, bring its tables up to date, and make sure that the
// master key is the one that its secrets were made with. Nothing else is asked of PostgreSQL before.

import { setTimeout as sleep } from "node:timers/promises";

import { SluiceError } from "@sluice/shared/runtime/errors";
import type { Logger } from "@sluice/shared/runtime/log";
import type { MasterKey } from "@sluice/shared/settings/master-key";
import { sparing } from "@sluice/shared/runtime/sparing-log";
import { checkMasterKey } from "./configuration-row.ts";
import { type Database, isTransient, openDatabase } from "./database.ts";
import { migrate } from "./migrate.ts";

/** The pauses double between these: a restart is noticed at once, and an outage of hours costs little. */
const MIN_PAUSE_MS = 500;
const MAX_PAUSE_MS = 5_000;
const RETRY_AFTER_SECONDS = 2;

export interface ConnectOptions {
  url: string;
  applicationName: string;
  maxConnections: number;
  settings?: Record<string, string>;
  masterKey: MasterKey;
  /** The last step of the preparation. Runs again when it fails. */
  prepare?: (db: Database) => Promise<void>;
  /** Whether an error is waited out: what passes by itself, when not given. */
  waitsFor?: (error: unknown) => boolean;
  log: Logger;
}

export interface ConnectedDatabase {
  /** Until PostgreSQL is prepared, statements fail with `unavailable`, as if it were away. */
  db: Database;
  /** `closed` when `db` was closed before. Rejects with an error that is not waited out. */
  prepared: Promise<"prepared" | "closed">;
}

/**
 * Begins to connect, for as long as it takes: containers start in any order, and a process that gives up is only
 * started again by its supervisor, with longer pauses than ours.
 */
export function connectDatabase(options: ConnectOptions): ConnectedDatabase {
  const closing = new AbortController();
  let isPrepared = false;
  const db = openDatabase({
    ...options,
    onError: (error) => sparing(options.log).warn({ err: error }, "PostgreSQL connection"),
    admit: () => {
      if (!isPrepared) {
        throw new SluiceError("unavailable", "PostgreSQL is not prepared yet", {
          retryAfterSeconds: RETRY_AFTER_SECONDS,
        });
      }
    },
  });
  const prepared = outlast(() => prepareOnce(options, closing.signal), { ...options, signal: closing.signal }).then(
    (outcome) => {
      isPrepared = outcome !== undefined;
      return isPrepared ? "prepared" : "closed";
    },
  );
  const close = async () => {
    closing.abort();
    await db.close();
  };
  return { db: { ...db, close }, prepared };
}

/**
 * Does what needs PostgreSQL, again for as long as that is away. The pauses grow.
 * @returns undefined when the signal ended it. @throws what is not waited out
 */
export async function outlast<T>(
  work: () => Promise<T>,
  { waitsFor = isTransient, signal, log }: Pick<ConnectOptions, "waitsFor" | "log"> & { signal: AbortSignal },
): Promise<T | undefined> {
  for (let pauseMs = MIN_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, MAX_PAUSE_MS)) {
    try {
      const result = await work();
      if (pauseMs > MIN_PAUSE_MS) log.info("PostgreSQL is there");
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
  await migrate(url, signal);
  const onError = (error: Error) => log.warn({ err: error }, "PostgreSQL connection");
  // Of its own: the other hands out nothing yet.
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
