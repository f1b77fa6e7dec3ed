// Migrations: Drizzle's for our tables and BullMQ's for its queues on PostgreSQL. Safe to run from several
// processes at once, and a no-op where nothing is pending.

import { existsSync } from "node:fs";
import { join } from "node:path";

import { runMigrations as migrateBullmq } from "bullmq";
import { drizzle } from "drizzle-orm/node-postgres";
import { migrate as migrateDrizzle } from "drizzle-orm/node-postgres/migrator";
import { readMigrationFiles } from "drizzle-orm/migrator";
import pg from "pg";

import { SluiceError } from "@sluice/shared/runtime/errors";

/** Beside the bundle, and far above this file. */
const MIGRATIONS_FOLDERS = ["drizzle", "../../../../drizzle"];
const MIGRATIONS_SCHEMA = "drizzle";
/** "slui" in ASCII. */
const LOCK_KEY = 0x736c_7569;

/**
 * @param signal cuts the connection, so that what waits for the lock or for a server that went silent fails.
 * @throws SluiceError `schema_newer` when the database holds a migration that this version does not know.
 */
export async function migrate(url: string, signal?: AbortSignal): Promise<void> {
  const migrationsFolder = findMigrations();
  const client = new pg.Client({
    connectionString: url,
    application_name: "sluice-migrate",
    connectionTimeoutMillis: 5_000,
    // A migration may take long, so that there is no limit: only the loss of the server is noticed.
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  });
  // Without a listener, a connection that is lost would end the process; the statement that ran on it says why.
  client.on("error", () => undefined);
  // With a statement under way, an end destroys the socket.
  const cut = () => void client.end().catch(() => undefined);
  signal?.throwIfAborted();
  signal?.addEventListener("abort", cut);
  try {
    await client.connect();
    try {
      // MUST be held over both: Drizzle reads what is applied and then applies, without a lock of its own.
      await client.query("SELECT pg_advisory_lock($1)", [LOCK_KEY]);
      await refuseNewer(client, migrationsFolder);
      await migrateDrizzle(drizzle(client), { migrationsFolder, migrationsSchema: MIGRATIONS_SCHEMA });
      await migrateBullmq(client);
    } finally {
      await client.end();
    }
  } finally {
    signal?.removeEventListener("abort", cut);
  }
}

/** @throws SluiceError `invalid_configuration` where there are none. */
function findMigrations(): string {
  const folders = MIGRATIONS_FOLDERS.map((folder) => join(import.meta.dirname, folder));
  const found = folders.find((folder) => existsSync(join(folder, "meta", "_journal.json")));
  if (found === undefined) {
    throw new SluiceError("invalid_configuration", `The migrations are missing: there is no ${folders[0]}`);
  }
  return found;
}

async function refuseNewer(client: pg.Client, migrationsFolder: string): Promise<void> {
  const { rows } = await client.query<{ exists: boolean }>("SELECT to_regclass($1) IS NOT NULL AS exists", [
    `${MIGRATIONS_SCHEMA}.__drizzle_migrations`,
  ]);
  if (rows[0]?.exists !== true) return;
  const applied = await client.query<{ created_at: string }>(
    `SELECT max(created_at) AS created_at FROM ${MIGRATIONS_SCHEMA}.__drizzle_migrations`,
  );
  const newest = Math.max(...readMigrationFiles({ migrationsFolder }).map((file) => file.folderMillis));
  if (Number(applied.rows[0]?.created_at ?? 0) > newest) {
    throw new SluiceError("schema_newer", "The database was migrated by a newer version of Sluice; start that version");
  }
}
