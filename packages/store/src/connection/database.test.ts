// Connections that are lost, and errors that are classified. When a connection is lost, the statement on it fails and
// says why, the process lives (an uncaught error fails this run), and the next statement gets a new connection.

import { sql } from "drizzle-orm";
import { expect, onTestFinished } from "vitest";

import { createTestDatabase, test } from "../../../../tests/support/database.ts";
import { runSql } from "../../../../tests/support/sql.ts";
import { until } from "../../../../tests/support/wait.ts";
import { openDatabase } from "./database.ts";
import { migrate } from "./migrate.ts";
import { hasSqlState, isDataFault, isTransient } from "./postgres-errors.ts";

const OWN_PID = "SELECT pg_backend_pid() AS pid";
const UNIQUE_VIOLATION = "23505";

/** Opens a second pool, whose connections can be cut without cutting those of the test. */
function openSecond(url: string) {
  const lost: Error[] = [];
  const onError = (error: Error) => lost.push(error);
  const db = openDatabase({ url, applicationName: "cut", maxConnections: 2, onError });
  onTestFinished(() => db.close().catch(() => undefined));
  return { db, lost };
}

const cut = (url: string, pid: unknown) => runSql(url, "SELECT pg_terminate_backend($1)", [pid]);

test("a connection lost between two statements of one client fails the second alone", async ({ database: { url } }) => {
  const { db } = openSecond(url);
  const client = await db.pool.connect();
  const { rows } = await client.query<{ pid: number }>(OWN_PID);
  await cut(url, rows[0]?.pid);
  const error = await until(() =>
    client.query("SELECT").then(
      () => undefined,
      (caught: unknown) => caught,
    ),
  );
  expect(isTransient(error)).toBe(true);
  client.release(true);
  expect((await db.pool.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
});

test("a connection lost in a transaction fails the transaction", async ({ database: { url } }) => {
  const { db } = openSecond(url);
  const work = db.orm.transaction(async (tx) => {
    const { rows } = await tx.execute<{ pid: number }>(sql.raw(OWN_PID));
    await cut(url, rows[0]?.pid);
    for (;;) await tx.execute(sql`SELECT`);
  });
  const error = await work.catch((caught: unknown) => caught);
  expect(isTransient(error)).toBe(true);
  expect((await db.orm.execute(sql`SELECT 1 AS one`)).rows).toEqual([{ one: 1 }]);
});

test("a connection lost while it was idle is reported, and replaced", async ({ database: { url } }) => {
  const { db, lost } = openSecond(url);
  const { rows } = await db.pool.query<{ pid: number }>(OWN_PID);
  await cut(url, rows[0]?.pid);
  await until(() => lost.length === 1);
  expect((await db.pool.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
});

test("a connection lost in a migration fails the migration, to be tried again", async () => {
  const { url, db, drop } = await createTestDatabase(null);
  onTestFinished(drop);
  const blocker = await db.pool.connect();
  // The lock of migrate.ts.
  await blocker.query("SELECT pg_advisory_lock($1)", [0x736c_7569]);
  const error = migrate(url).catch((caught: unknown) => caught);
  const waiting = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'";
  const [found] = await until(() => runSql(url, waiting), { accept: (rows) => rows.length === 1 });
  await cut(url, found?.["pid"]);
  expect(isTransient(await error)).toBe(true);
  blocker.release(true);
  await migrate(url);
});

test("a wrong statement is not taken for an outage", async ({ database: { db } }) => {
  for (const text of ["SELECT nothing", "SELECT 1 / 0", "SELEC"]) {
    expect(isTransient(await db.pool.query(text).catch((caught: unknown) => caught))).toBe(false);
  }
  const insert = sql`INSERT INTO event_keys VALUES ('00000000-0000-0000-0000-000000000001', 'x', gen_random_uuid())`;
  await db.orm.execute(insert);
  const error = await db.orm.execute(insert).catch((caught: unknown) => caught);
  expect(isTransient(error)).toBe(false);
  expect(hasSqlState(error, UNIQUE_VIOLATION)).toBe(true);
});

const failureOf = (work: Promise<unknown>) => work.then(() => undefined).catch((caught: unknown) => caught);

test("an error of the rows is a data fault, and so is an error of our own code that prepares them", async ({
  database,
}) => {
  const { pool, orm } = database.db;
  for (const text of [
    "SELECT 1 / 0",
    "SELECT 'not a UUID'::uuid",
    "INSERT INTO configuration (revision) VALUES (NULL)",
    "SELECT repeat('x', 1073741824)",
  ]) {
    const error = await failureOf(pool.query(text));
    // PostgreSQL refuses the gigabyte with the code 54000.
    expect({ text, isFault: isDataFault(error) }).toEqual({ text, isFault: true });
  }
  expect(isDataFault(await failureOf(orm.execute(sql`SELECT 1 / 0`)))).toBe(true);
  expect(isDataFault(await failureOf((async () => new Date(Number.NaN).toISOString())()))).toBe(true);
});

test("an error that the operator has to repair is no data fault: the rows wait", async ({ database: { db, url } }) => {
  const client = await db.pool.connect();
  const states = ["25006", "28P01", "42501", "3D000", "42P01", "57014", "55P03", "58030", "53100", "40001", "XX000"];
  for (const state of states) {
    const raise = `DO $$ BEGIN RAISE EXCEPTION 'for the test' USING ERRCODE = '${state}'; END $$`;
    const error = await failureOf(client.query(raise));
    expect(hasSqlState(error, state)).toBe(true);
    expect({ state, isFault: isDataFault(error) }).toEqual({ state, isFault: false });
  }
  await client.query("BEGIN READ ONLY");
  const readOnly = await failureOf(client.query("UPDATE configuration SET revision = revision"));
  expect([isDataFault(readOnly), isTransient(readOnly)]).toEqual([false, true]);
  client.release(true);
  const away = openDatabase({ url: "postgres://127.0.0.1:1/x", applicationName: "x", maxConnections: 1, onError() {} });
  onTestFinished(away.close);
  expect(isDataFault(await failureOf(away.pool.query("SELECT")))).toBe(false);
  const missing = new URL(url);
  missing.pathname = "/does-not-exist";
  const none = openDatabase({ url: missing.href, applicationName: "x", maxConnections: 1, onError() {} });
  onTestFinished(none.close);
  expect(isDataFault(await failureOf(none.pool.query("SELECT")))).toBe(false);
  expect(isDataFault(new Error("nobody knows"))).toBe(false);
});

test("a close ends in bounded time while a statement runs", async ({ database: { url } }) => {
  const { db } = openSecond(url);
  const client = await db.pool.connect();
  const running = failureOf(client.query("SELECT pg_sleep(60)"));
  await db.close();
  expect(await running).toBeInstanceOf(Error);
  client.release(true);
});
