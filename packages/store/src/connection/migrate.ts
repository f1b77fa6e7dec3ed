// Runs the migrations: Drizzle's for our tables, and BullMQ's for its queues on PostgreSQL. Several processes may run
// them at once. Where nothing is pending they are not run, and reading that takes no right to change the schema.

import { existsSync } from "node:fs";
import { join } from "node:path";

import { assertSchemaCompatibility, LATEST_SCHEMA_VERSION, runMigrations as migrateBullmq } from "bullmq";
import { readMigrationFiles } from "drizzle-orm/migrator";
import { drizzle } from "drizzle-orm/node-postgres";
import { migrate as migrateDrizzle } from "drizzle-orm/node-postgres/migrator";
import pg from "pg";

import { isAtLeast, SLUICE_VERSION } from "@sluice/shared/domain/version";
import { SluiceError } from "@sluice/shared/runtime/errors";

import { hasSqlState } from "./postgres-errors.ts";

/** The first is beside the bundle of an app; the second is where the sources have it. */
const MIGRATIONS_FOLDERS = ["drizzle", "../../../../drizzle"];
const MIGRATIONS_SCHEMA = "drizzle";
/** "slui" in ASCII. */
const LOCK_KEY = 0x736c_7569;

/** Below the time that a gateway has to make an event durable. A caller that gets `lock_not_available` tries again. */
const LOCK_TIMEOUT_MS = 1_000;

/**
 * @param signal cuts the connection, so that a wait for the lock, or for a server that went silent, fails.
 * @returns `newer` when a newer version migrated the database and says that this version may still use it.
 * @throws SluiceError `schema_newer` when it says that this version may not.
 */
export async function migrate(url: string, signal?: AbortSignal): Promise<"migrated" | "newer"> {
  const migrationsFolder = findMigrations();
  const client = new pg.Client({
    connectionString: url,
    application_name: "sluice-migrate",
    connectionTimeoutMillis: 5_000,
    // A migration may take long, so that no statement has a time limit; keep-alive notices when the server is lost.
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  });
  // Without a listener, a lost connection would end the process. The statement that ran on it fails and says why.
  client.on("error", () => undefined);
  // While a statement runs, `end` destroys the socket.
  const cut = () => void client.end().catch(() => undefined);
  signal?.throwIfAborted();
  signal?.addEventListener("abort", cut);
  try {
    await client.connect();
    try {
      // MUST be held during both migrations: Drizzle first reads which migrations are applied and then applies the
      // others, without a lock of its own.
      await client.query("SELECT pg_advisory_lock($1)", [LOCK_KEY]);
      if (await isNewer(client, migrationsFolder)) return "newer";
      // A migration that waits for a table makes every statement on it wait behind it. Processes that run already go on.
      await client.query(`SET lock_timeout = ${LOCK_TIMEOUT_MS}`);
      await migrateDrizzle(drizzle(client), { migrationsFolder, migrationsSchema: MIGRATIONS_SCHEMA });
      await migrateBullmq(client);
      return "migrated";
    } finally {
      await client.end();
    }
  } finally {
    signal?.removeEventListener("abort", cut);
  }
}

/** @throws SluiceError `invalid_configuration` when there are no migrations. */
function findMigrations(): string {
  const folders = MIGRATIONS_FOLDERS.map((folder) => join(import.meta.dirname, folder));
  const found = folders.find((folder) => existsSync(join(folder, "meta", "_journal.json")));
  if (found === undefined) {
    throw new SluiceError("invalid_configuration", `The migrations are missing: there is no folder ${folders[0]}`);
  }
  return found;
}

/**
 * Whether the database has a migration that this version does not know.
 * @throws SluiceError `schema_newer` when the database is not for this version any more: migrations only add to the
 * schema until `min_compatible_version` says that the code of an older version would fail.
 */
async function isNewer(client: pg.Client, migrationsFolder: string): Promise<boolean> {
  const { rows } = await client.query<{ exists: boolean }>("SELECT to_regclass($1) IS NOT NULL AS exists", [
    `${MIGRATIONS_SCHEMA}.__drizzle_migrations`,
  ]);
  if (rows[0]?.exists !== true) return false;
  const applied = await client.query<{ created_at: string }>(
    `SELECT max(created_at) AS created_at FROM ${MIGRATIONS_SCHEMA}.__drizzle_migrations`,
  );
  const newest = Math.max(...readMigrationFiles({ migrationsFolder }).map((file) => file.folderMillis));
  if (Number(applied.rows[0]?.created_at ?? 0) <= newest) return false;
  // Through JSON, because the column may be missing.
  const compatible = await client.query<{ oldest: string | null }>(
    "SELECT to_jsonb(configuration) ->> 'min_compatible_version' AS oldest FROM configuration",
  );
  const oldest = compatible.rows[0]?.oldest ?? "";
  if (isAtLeast(SLUICE_VERSION, oldest)) return true;
  throw new SluiceError(
    "schema_newer",
    `The database was migrated by a newer version of Sluice and needs ${oldest === "" ? "that version" : oldest} or ` +
      `newer; this is ${SLUICE_VERSION}. Start the newer version`,
  );
}
