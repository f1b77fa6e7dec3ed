// What gateway and worker do first: wait for PostgreSQL, bring its tables up to date, and make sure that the
// master key is the one that its secrets were made with.

import { setTimeout as sleep } from "node:timers/promises";

import type { Logger } from "../log.ts";
import type { MasterKey } from "../master-key.ts";
import { checkMasterKey } from "./configuration.ts";
import { type Database, isTransient, openDatabase } from "./database.ts";
import { migrate } from "./migrate.ts";

/** Containers start in any order; a database that takes longer than this is a fault to be seen. */
const WAIT_MS = 60_000;
const RETRY_MS = 500;

export interface ConnectOptions {
  url: string;
  applicationName: string;
  maxConnections: number;
  settings?: Record<string, string>;
  masterKey: MasterKey;
  log: Logger;
}

export async function connectDatabase(options: ConnectOptions): Promise<Database> {
  const { url, masterKey, log } = options;
  const giveUpAt = performance.now() + WAIT_MS;
  for (;;) {
    try {
      await migrate(url);
      break;
    } catch (error) {
      if (!isTransient(error) || performance.now() > giveUpAt) throw error;
      log.warn({ err: error }, "waiting for PostgreSQL");
      await sleep(RETRY_MS);
    }
  }
  const db = openDatabase({ ...options, onError: (error) => log.warn({ err: error }, "PostgreSQL connection") });
  try {
    await checkMasterKey(db, masterKey);
  } catch (error) {
    await db.close();
    throw error;
  }
  return db;
}
