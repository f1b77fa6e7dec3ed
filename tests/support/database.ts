// A migrated database for each test file, cloned from the template of the run.

import { randomUUID } from "node:crypto";

import { inject, test as base } from "vitest";

import { type Database, openDatabase } from "@sluice/store/connection/database";

import { runSql, withDatabase } from "./sql.ts";

/** Below the time limit of a test, because the error of this limit says more. */
const CONNECT_LIMIT_MS = 120_000;

export interface TestDatabase {
  url: string;
  db: Database;
  /** Closes the pool and drops the database, also while others are connected to it. */
  drop: () => Promise<void>;
}

/**
 * @param template the database to clone; null for an empty database.
 * @param server the URL of a superuser; of the server of the run when not given.
 */
export async function createTestDatabase(
  template: string | null = inject("templateDatabase"),
  server = inject("databaseUrl"),
): Promise<TestDatabase> {
  const name = `sluice_test_${randomUUID().replaceAll("-", "")}`;
  await runSql(server, `CREATE DATABASE ${name} TEMPLATE ${template ?? "template0"}`);
  const url = withDatabase(server, name);
  // Each copy of the template is a relay of its own, and may share a Redis with the others.
  if (template !== null) await runSql(url, "UPDATE configuration SET relay_id = gen_random_uuid()");
  const errors: Error[] = [];
  const db = openDatabase({
    url,
    applicationName: "sluice-test",
    maxConnections: 10,
    onError: (error) => errors.push(error),
  });
  // Instead of five seconds, in which a busy machine may not manage to start a session.
  db.pool.options.connectionTimeoutMillis = CONNECT_LIMIT_MS;
  const drop = async () => {
    const failed = [...errors];
    await db.close();
    // FORCE also ends the connections that a busy machine had no time to close.
    await runSql(server, `DROP DATABASE ${name} WITH (FORCE)`);
    if (failed.length > 0) throw new AggregateError(failed, "Idle connections to the test's database failed");
  };
  return { url, db, drop };
}

/** `test` with a fixture `database`, one for each file. */
// oxlint-disable-next-line no-empty-pattern -- vitest reads what a fixture depends on off this pattern.
export const test = base.extend("database", { scope: "file" }, async ({}, { onCleanup }) => {
  const database = await createTestDatabase();
  onCleanup(database.drop);
  return database;
});
