// Migrations that several processes run at once, that run again, and that are refused.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { drizzle } from "drizzle-orm/node-postgres";
import { migrate as migrateDrizzle } from "drizzle-orm/node-postgres/migrator";
import pg from "pg";
import { describe, expect, onTestFinished, test } from "vitest";

import { SLUICE_VERSION } from "@sluice/shared/domain/version";

import { createTestDatabase, type TestDatabase } from "../../../../tests/support/database.ts";
import { runSql } from "../../../../tests/support/sql.ts";
import { migrate } from "./migrate.ts";
import { isTransient } from "./postgres-errors.ts";

/** Says that it is ready, waits for input, and migrates. */
const PROGRAM = `
  import { migrate } from ${JSON.stringify(new URL("migrate.ts", import.meta.url).href)};
  process.stdout.write("ready");
  process.stdin.once("data", () => migrate(process.env.URL).then(() => process.exit(0)));`;

function startMigrator(url: string) {
  const child = spawn(process.execPath, ["--input-type=module", "--eval", PROGRAM], {
    env: { ...process.env, URL: url },
    stdio: ["pipe", "pipe", "inherit"],
  });
  return { child, ready: once(child.stdout, "data"), exited: once(child, "exit") };
}

async function createEmptyDatabase(): Promise<TestDatabase> {
  const database = await createTestDatabase(null);
  onTestFinished(database.drop);
  return database;
}

/** Runs the migrations up to one, as an older version did. */
async function migrateUpTo(url: string, tag: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "sluice-migrations-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  cpSync(new URL("../../../../drizzle", import.meta.url), folder, { recursive: true });
  const path = join(folder, "meta", "_journal.json");
  const journal: { entries: { tag: string }[] } = JSON.parse(readFileSync(path, "utf8"));
  writeFileSync(path, JSON.stringify({ ...journal, entries: journal.entries.filter((entry) => entry.tag <= tag) }));
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await migrateDrizzle(drizzle(client), { migrationsFolder: folder, migrationsSchema: "drizzle" });
  await client.end();
}

/** A database with a migration that this version does not know. @param oldest the oldest version that may use it. */
async function createNewer(oldest: string | null): Promise<string> {
  const { url } = await createEmptyDatabase();
  await migrate(url);
  await runSql(url, "INSERT INTO drizzle.__drizzle_migrations (hash, created_at) VALUES ('newer', 99999999999999)");
  await runSql(url, "ALTER TABLE configuration ADD COLUMN IF NOT EXISTS min_compatible_version text");
  const value = oldest === null ? "NULL" : `'${oldest}'`;
  await runSql(url, "ALTER TABLE configuration ALTER min_compatible_version DROP NOT NULL");
  await runSql(url, `UPDATE configuration SET min_compatible_version = ${value}`);
  return url;
}

/** Describes everything that a migration could change. */
async function describeDatabase(url: string): Promise<unknown[]> {
  return runSql(
    url,
    `SELECT n.nspname, c.relname, c.relkind, array_agg(a.attname || ' ' || a.atttypid::regtype ORDER BY a.attnum)
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
     WHERE n.nspname IN ('public', 'drizzle', 'bullmq') AND a.attnum > 0
     GROUP BY 1, 2, 3 ORDER BY 1, 2`,
  );
}

test("several processes that migrate an empty database at once make the same as one process", async () => {
  const [raced, single] = [await createEmptyDatabase(), await createEmptyDatabase()];
  const migrators = Array.from({ length: 4 }, () => startMigrator(raced.url));
  await Promise.all(migrators.map(({ ready }) => ready));
  for (const { child } of migrators) child.stdin.end("go");
  expect(await Promise.all(migrators.map(({ exited }) => exited))).toEqual(migrators.map(() => [0, null]));
  await migrate(single.url);
  expect(await describeDatabase(raced.url)).toEqual(await describeDatabase(single.url));
  const applied = "SELECT hash, created_at FROM drizzle.__drizzle_migrations ORDER BY id";
  expect(await runSql(raced.url, applied)).toEqual(await runSql(single.url, applied));
  expect(await runSql(raced.url, "SELECT revision FROM configuration")).toEqual([{ revision: "1" }]);
});

test("a migrated database stays as it is, with its rows", async () => {
  const { url } = await createEmptyDatabase();
  await migrate(url);
  const before = await describeDatabase(url);
  await runSql(url, "INSERT INTO event_keys VALUES (gen_random_uuid(), 'msg_1', gen_random_uuid())");
  await migrate(url);
  expect(await describeDatabase(url)).toEqual(before);
  expect(await runSql(url, "SELECT webhook_id FROM event_keys")).toEqual([{ webhook_id: "msg_1" }]);
});

describe("a database that a newer version migrated", () => {
  test("is used by a version that it names, and left as it is", async () => {
    const url = await createNewer(SLUICE_VERSION);
    const before = await describeDatabase(url);
    expect(await migrate(url)).toBe("newer");
    expect(await describeDatabase(url)).toEqual(before);
  });

  test("is refused by a version that is too old for it, which says what it needs", async () => {
    const error = { code: "schema_newer", message: expect.stringContaining("needs 999.0.0 or newer; this is") };
    await expect(migrate(await createNewer("999.0.0"))).rejects.toMatchObject(error);
  });

  test("is refused when it does not say which versions may use it", async () => {
    await expect(migrate(await createNewer(null))).rejects.toMatchObject({ code: "schema_newer" });
  });
});

test("a migration that needs a table that a transaction has locked gives up, so that it can be tried again", async () => {
  const { url, db } = await createEmptyDatabase();
  await migrateUpTo(url, "0012_deleted_targets");
  const reader = await db.pool.connect();
  onTestFinished(() => reader.release(true));
  await reader.query("BEGIN");
  await reader.query("SELECT FROM configuration");
  const error: unknown = await migrate(url).catch((caught: unknown) => caught);
  expect(isTransient(error)).toBe(true);
  // Nobody waits behind it.
  await db.pool.query("UPDATE configuration SET revision = revision");
  await reader.query("COMMIT");
  await migrate(url);
});

test("a migration that cannot connect says so, and holds nothing", async () => {
  await expect(migrate("postgres://nobody@127.0.0.1:1/nothing")).rejects.toMatchObject({ code: "ECONNREFUSED" });
});

test("names that are not unique get numbers, the oldest keeps its name, and a warning says so for each", async () => {
  const { url } = await createEmptyDatabase();
  await migrateUpTo(url, "0027_jobs");
  const ids = Array.from({ length: 9 }, (_, index) => `01900000-0000-7000-8000-00000000000${index}`);
  const addTarget = (index: number, name: string) =>
    runSql(
      url,
      `INSERT INTO targets (id, name, uri, subscribed_events, timeout_seconds, max_in_flight, retry_base_seconds,
         retry_cap_seconds, retry_horizon_seconds)
       VALUES ('${ids[index]}', '${name}', 'http://a/', '{*}', 20, 64, 5, 3600, 86400)`,
    );
  const addKey = (index: number, name: string, revokedAt: string) =>
    runSql(
      url,
      `INSERT INTO api_keys (id, name, hash, scopes, revoked_at)
       VALUES ('${ids[index]}', '${name}', '\\x0${index}', '{read}', ${revokedAt})`,
    );
  // Not in the order of their ids.
  for (const [index, name] of [
    [2, "a"],
    [0, "a"],
    [1, "a-2"],
    [3, "a"],
    [4, "b"],
  ] as const)
    await addTarget(index, name);
  for (const index of [5, 6, 7]) await addKey(index, "ci", index === 5 ? "now()" : "NULL");

  const warnings: string[] = [];
  await migrate(url, { onWarning: (message) => warnings.push(message) });
  const names = (table: string) => runSql(url, `SELECT name FROM ${table} ORDER BY id`);
  expect((await names("targets")).map(({ name }) => name)).toEqual(["a", "a-2", "a-3", "a-4", "b"]);
  expect((await names("api_keys")).map(({ name }) => name)).toEqual(["ci", "ci", "ci-2"]);
  expect(warnings).toEqual([
    expect.stringMatching(/^Several targets had the name "a": the one that was created at .+ is now named "a-3"$/),
    expect.stringMatching(/ is now named "a-4"$/),
    expect.stringMatching(/^Several API keys had the name "ci": the one that was created at .+ is now named "ci-2"$/),
  ]);
  const again: string[] = [];
  await migrate(url, { onWarning: (message) => again.push(message) });
  expect(again).toEqual([]);
});
