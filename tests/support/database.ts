// A migrated database of its own for every test file, cloned from the run's template.

import { randomUUID } from "node:crypto";

import { inject, test as base } from "vitest";

import { type Database, openDatabase } from "@sluice/store/connection/database";

import { runSql, withDatabase } from "./sql.ts";

/** Below a test's own limit, whose failure says less. */
const CONNECT_LIMIT_MS = 120_000;

export interface TestDatabase {
  url: string;
  db: Database;
  /** Closes the pool and drops the database, whoever else is connected. */
  drop: () => Promise<void>;
}

/** @param template null for an empty database. */
export async function createTestDatabase(template: string | null = inject("templateDatabase")): Promise<TestDatabase> {
  const server = inject("databaseUrl");
  const name = `sluice_test_${randomUUID().replaceAll("-", "")}`;
  await runSql(server, `CREATE DATABASE ${name} TEMPLATE ${template ?? "template0"}`);
  const url = withDatabase(server, name);
  const errors: Error[] = [];
  const db = openDatabase({
    url,
    applicationName: "sluice-test",
    maxConnections: 10,
    onError: (error) => errors.push(error),
  });
  // In place of five seconds, in which a busy machine may not come to start a session.
  db.pool.options.connectionTimeoutMillis = CONNECT_LIMIT_MS;
  const drop = async () => {
    const failed = [...errors];
    await db.close();
    // Ends also what a busy machine had no time to close.
    await runSql(server, `DROP DATABASE ${name} WITH (FORCE)`);
    if (failed.length > 0) throw new AggregateError(failed, "Idle connections to the test's database failed");
  };
  return { url, db, drop };
}

/** `test` with the file's own `database`. */
// oxlint-disable-next-line no-empty-pattern -- vitest reads what a fixture depends on off this pattern.
export const test = base.extend("database", { scope: "file" }, async ({}, { onCleanup }) => {
  const database = await createTestDatabase();
  onCleanup(database.drop);
  return database;
});
