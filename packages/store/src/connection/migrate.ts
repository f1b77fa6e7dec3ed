// Runs the migrations: Drizzle's for our tables, and BullMQ's for its queues on PostgreSQL. Several processes may run
// them at once. Where nothing is pending they are not run, and reading that takes no right to change the schema.

import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
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
const INSUFFICIENT_PRIVILEGE = "42501";
const WARNING = "01000";
/**
 * They make and remove partitions, which takes the rights of the owner. A role that only reads and writes rows may call
 * them when it is granted that: docs/postgres.md.
 */
const OWNER_FUNCTIONS = ["ensure_partitions", "retire_days"];
/** BullMQ makes a sequence with the first job of each queue, which such a role may not. A test compares these names. */
export const BULLMQ_QUEUES = ["intake", "deliver"];
/** Below the time that a gateway has to make an event durable. A caller that gets `lock_not_available` tries again. */
const LOCK_TIMEOUT_MS = 1_000;

export interface MigrateOptions {
  /** The `when` of the last migration to run, for a database that is to be like that of an older version. */
  upTo?: number | undefined;
  /** Cuts the connection, so that a wait for the lock, or for a server that went silent, fails. */
  signal?: AbortSignal | undefined;
  /** Gets what a migration says to the operator about the rows that it changed, once the change is committed. */
  onWarning?: ((message: string) => void) | undefined;
}

/**
 * @param url MUST NOT lead to a transaction pooler.
 * @returns `newer` when a newer version migrated the database and says that this version may still use it.
 * @throws SluiceError `schema_newer` when it says that this version may not, and `migration_pending` when the role may
 *   not run the migrations that are pending.
 */
export async function migrate(
  url: string,
  { upTo, signal, onWarning }: MigrateOptions = {},
): Promise<"migrated" | "newer"> {
  if (upTo === undefined) return migrateFrom(findMigrations(), url, { signal, onWarning });
  const folder = mkdtempSync(join(tmpdir(), "sluice-migrations-"));
  try {
    copyMigrations(findMigrations(), folder, upTo);
    return await migrateFrom(folder, url, { signal, onWarning });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** @param when of a migration. @returns its name; undefined for a migration of a newer version. */
export function findMigrationTag(when: number): string | undefined {
  return readMigrationJournal(findMigrations()).entries.find((entry) => entry.when === when)?.tag;
}

function readMigrationJournal(folder: string): { entries: { when: number; tag: string }[] } {
  return JSON.parse(readFileSync(join(folder, "meta", "_journal.json"), "utf8"));
}

/** @throws SluiceError `schema_newer` when this version does not have the migration. */
function copyMigrations(from: string, to: string, upTo: number): void {
  const journal = readMigrationJournal(from);
  if (!journal.entries.some(({ when }) => when === upTo)) {
    throw new SluiceError(
      "schema_newer",
      `Version ${SLUICE_VERSION} of Sluice does not know the schema ${upTo}; use the version that made it, or a newer one`,
    );
  }
  const entries = journal.entries.filter(({ when }) => when <= upTo);
  mkdirSync(join(to, "meta"));
  writeFileSync(join(to, "meta", "_journal.json"), JSON.stringify({ ...journal, entries }));
  for (const { tag } of entries) copyFileSync(join(from, `${tag}.sql`), join(to, `${tag}.sql`));
}

async function migrateFrom(
  migrationsFolder: string,
  url: string,
  { signal, onWarning }: { signal: AbortSignal | undefined; onWarning: MigrateOptions["onWarning"] },
): Promise<"migrated" | "newer"> {
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
      const state = await readState(client, migrationsFolder);
      if (state !== "pending") return state;
      // MUST be held during both migrations: Drizzle first reads which migrations are applied and then applies the
      // others, without a lock of its own.
      await client.query("SELECT pg_advisory_lock($1)", [LOCK_KEY]);
      // Another process may have migrated while this one waited.
      const stateNow = await readState(client, migrationsFolder);
      if (stateNow !== "pending") return stateNow;
      // A migration that waits for a table makes every statement on it wait behind it. Processes that run already go
      // on.
      await client.query(`SET lock_timeout = ${LOCK_TIMEOUT_MS}`);
      const warnings = collectWarnings(client);
      await migrateDrizzle(drizzle(client), { migrationsFolder, migrationsSchema: MIGRATIONS_SCHEMA });
      for (const message of warnings) onWarning?.(message);
      await migrateBullmq(client);
      await lendOwnersRights(client);
      await makeSequences(client);
      return "migrated";
    } catch (error) {
      if (!hasSqlState(error, INSUFFICIENT_PRIVILEGE)) throw error;
      throw new SluiceError(
        "migration_pending",
        "Migrations are pending, or cannot be read, and the role of the database URL may not run them: run `npm run " +
          "migrate` as the owner of the schema, and grant this role what docs/postgres.md lists",
        { cause: error },
      );
    } finally {
      await client.end();
    }
  } finally {
    signal?.removeEventListener("abort", cut);
  }
}

/** @returns a list that grows with the `RAISE WARNING` of migrations. PostgreSQL's own notices are not in it. */
function collectWarnings(client: pg.Client): string[] {
  const warnings: string[] = [];
  client.on("notice", ({ code, message }) => {
    if (code === WARNING && message !== undefined) warnings.push(message);
  });
  return warnings;
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
 * @throws SluiceError `schema_newer` when the database is not for this version any more: migrations only add to the
 * schema until `min_compatible_version` says that the code of an older version would fail.
 */
async function readState(client: pg.Client, migrationsFolder: string): Promise<"pending" | "migrated" | "newer"> {
  const { rows } = await client.query<{ ours: boolean; bullmqs: boolean }>(
    "SELECT to_regclass($1) IS NOT NULL AS ours, to_regclass('bullmq.migration') IS NOT NULL AS bullmqs",
    [`${MIGRATIONS_SCHEMA}.__drizzle_migrations`],
  );
  if (rows[0]?.ours !== true) return "pending";
  const applied = await client.query<{ created_at: string | null }>(
    `SELECT max(created_at) AS created_at FROM ${MIGRATIONS_SCHEMA}.__drizzle_migrations`,
  );
  const last = Number(applied.rows[0]?.created_at ?? 0);
  const newest = Math.max(...readMigrationFiles({ migrationsFolder }).map((file) => file.folderMillis));
  if (last > newest) {
    await refuseIncompatible(client);
    return "newer";
  }
  if (last < newest || !rows[0].bullmqs) return "pending";
  if ((await assertSchemaCompatibility(client)) < LATEST_SCHEMA_VERSION) return "pending";
  const isComplete =
    (await findFunctionsWithoutRights(client)).length === 0 && (await findQueuesWithoutSequence(client)).length === 0;
  return isComplete ? "migrated" : "pending";
}

/** @throws SluiceError `schema_newer`. */
async function refuseIncompatible(client: pg.Client): Promise<void> {
  // Through JSON, because the column may be missing.
  const compatible = await client.query<{ oldest: string | null }>(
    "SELECT to_jsonb(configuration) ->> 'min_compatible_version' AS oldest FROM configuration",
  );
  const oldest = compatible.rows[0]?.oldest ?? "";
  if (isAtLeast(SLUICE_VERSION, oldest)) return;
  throw new SluiceError(
    "schema_newer",
    `The database was migrated by a newer version of Sluice and needs ${oldest === "" ? "that version" : oldest} or ` +
      `newer; this is ${SLUICE_VERSION}. Start the newer version`,
  );
}

/** Finds those of {@link OWNER_FUNCTIONS} that run with the rights of their caller. */
async function findFunctionsWithoutRights(client: pg.Client): Promise<{ name: string; schema: string }[]> {
  const { rows } = await client.query<{ name: string; schema: string }>(
    `SELECT oid::regprocedure::text AS name, quote_ident(current_schema()) AS schema FROM pg_proc
     WHERE pronamespace = to_regnamespace(current_schema()) AND proname = ANY($1) AND NOT prosecdef`,
    [OWNER_FUNCTIONS],
  );
  return rows;
}

/**
 * Lets the functions that change partitions run with the rights of their owner. Not part of a migration, because each
 * later CREATE OR REPLACE takes the rights away again. The pinned search path keeps a caller from passing tables of its
 * own, and nobody may call the functions to whom it is not granted.
 */
async function lendOwnersRights(client: pg.Client): Promise<void> {
  for (const { name, schema } of await findFunctionsWithoutRights(client)) {
    await client.query(`REVOKE EXECUTE ON FUNCTION ${name} FROM PUBLIC`);
    await client.query(`ALTER FUNCTION ${name} SECURITY DEFINER SET search_path = ${schema}, pg_temp`);
  }
}

async function findQueuesWithoutSequence(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ queue: string }>(
    `SELECT queue FROM unnest($1::text[]) AS queue
     WHERE to_regclass('bullmq.' || bullmq.job_id_seq_name(queue)) IS NULL`,
    [BULLMQ_QUEUES],
  );
  return rows.map(({ queue }) => queue);
}

async function makeSequences(client: pg.Client): Promise<void> {
  for (const queue of await findQueuesWithoutSequence(client)) {
    // BullMQ makes the sequence here as it does for a first job. The id that is used up leaves a gap, as a failed add
    // does.
    await client.query("SELECT bullmq.next_job_id($1)", [queue]);
  }
}
