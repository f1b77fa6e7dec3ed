// What is between the relay and PostgreSQL is found out whatever the pooler's size, and nothing is left in a session
// that other clients get.

import { describe, expect, onTestFinished } from "vitest";

import { createTestDatabase, test } from "../../../../tests/support/database.ts";
import { findPgBouncer, type PgBouncerOptions, startPgBouncer } from "../../../../tests/support/pgbouncer.ts";
import { runSql } from "../../../../tests/support/sql.ts";
import { openPooledDatabase } from "./database.ts";
import { detectPooling } from "./pooling.ts";
import { PostgresServer } from "./postgres-server.ts";

test("a direct connection keeps its session", async ({ database: { url } }) => {
  expect(await detectPooling(url)).toEqual({ kind: "session", keepsPreparedStatements: true });
  expect(await detectPooling(url, "off")).toEqual({ kind: "session", keepsPreparedStatements: false });
});

test("a PostgreSQL that is away is an error, and the next call asks again", async ({ database: { url } }) => {
  const server = new PostgresServer({ url: "postgres://nobody@127.0.0.1:1/none" });
  await expect(server.findPooling()).rejects.toMatchObject({ code: "ECONNREFUSED" });
  await expect(server.findPooling()).rejects.toMatchObject({ code: "ECONNREFUSED" });
  expect(server.pooling).toBeUndefined();
  const there = new PostgresServer({ url });
  expect(await there.findPooling()).toBe(there.pooling);
});

async function startBouncer(url: string, options: PgBouncerOptions): Promise<string> {
  const pgbouncer = await startPgBouncer([url], options);
  onTestFinished(pgbouncer.stop);
  return pgbouncer.urlOf(url);
}

async function openBoth(poolSize: number) {
  const { url, drop } = await createTestDatabase();
  onTestFinished(drop);
  const pooled = await startBouncer(url, { poolMode: "transaction", poolSize });
  const db = openPooledDatabase(new PostgresServer({ url: pooled }), {
    applicationName: "sluice-test",
    maxConnections: 5,
    answerLimitMs: 20_000,
    settings: { enable_seqscan: "off", search_path: "bullmq" },
    onError: () => undefined,
  });
  onTestFinished(db.close);
  return { pooled, db };
}

describe.skipIf(findPgBouncer() === undefined)("by PgBouncer", () => {
  test.for([
    { poolSize: 1, extra: {} },
    { poolSize: 20, extra: {} },
    { poolSize: 20, extra: { server_round_robin: "1", min_pool_size: "10" } },
  ])("transaction pooling is found out: %o", async (options, { database: { url } }) => {
    const pooled = await startBouncer(url, { poolMode: "transaction", ...options });
    // PgBouncer 1.18 passes prepared statements on by their own names.
    expect(await detectPooling(pooled)).toMatchObject({ kind: "transaction" });
    expect(await detectPooling(pooled, "off")).toEqual({ kind: "transaction", keepsPreparedStatements: false });
    expect(await detectPooling(pooled, "on")).toEqual({ kind: "transaction", keepsPreparedStatements: true });
  });

  test("transaction pooling is found out while other clients keep all sessions busy", async ({ database: { url } }) => {
    const pooled = await startBouncer(url, { poolMode: "transaction", poolSize: 3 });
    const busy = openPooledDatabase(new PostgresServer({ url: pooled }), {
      applicationName: "busy",
      maxConnections: 8,
      onError: () => undefined,
    });
    const stop = new AbortController();
    const clients = Array.from({ length: 8 }, async () => {
      while (!stop.signal.aborted) await busy.pool.query("SELECT pg_sleep(0.005)");
    });
    for (let time = 0; time < 5; time++) expect(await detectPooling(pooled)).toMatchObject({ kind: "transaction" });
    stop.abort();
    await Promise.all(clients);
    await busy.close();
  });

  test.for([1, 2, 20])("session pooling with %i sessions is found out", async (poolSize, { database: { url } }) => {
    const pooled = await startBouncer(url, { poolMode: "session", poolSize });
    expect(await detectPooling(pooled)).toEqual({ kind: "session", keepsPreparedStatements: true });
  });

  test("statement pooling is refused by name", async ({ database: { url } }) => {
    const pooled = await startBouncer(url, { poolMode: "statement" });
    await expect(detectPooling(pooled)).rejects.toMatchObject({
      code: "invalid_configuration",
      message: expect.stringContaining("pool_mode"),
    });
  });

  test("a transaction pooler needs a direct URL that leads past it", async ({ database: { url } }) => {
    const pooled = await startBouncer(url, { poolMode: "transaction" });
    await expect(new PostgresServer({ url: pooled }).requireSessions()).rejects.toMatchObject({
      code: "invalid_configuration",
      message: expect.stringContaining("set DATABASE_DIRECT_URL"),
    });
    await expect(new PostgresServer({ url, directUrl: pooled }).requireSessions()).rejects.toMatchObject({
      code: "invalid_configuration",
      message: expect.stringContaining("DATABASE_DIRECT_URL leads to a transaction pooler"),
    });
    await new PostgresServer({ url: pooled, directUrl: url }).requireSessions();
    await new PostgresServer({ url }).requireSessions();
  });

  const READ = `SELECT current_setting('enable_seqscan') AS seqscan, current_setting('search_path') AS path,
    current_setting('statement_timeout') AS limit`;

  test("the settings of a pool are in force in all of its statements, and no other client sees them", async () => {
    const { pooled, db } = await openBoth(1);
    const own = [{ seqscan: "off", path: "bullmq", limit: "18s" }];
    const foreign = [{ seqscan: "on", path: '"$user", public', limit: "0" }];
    expect((await db.pool.query(READ)).rows).toEqual(own);
    expect(await runSql(pooled, READ)).toEqual(foreign);
    expect((await db.pool.query({ name: "read", text: READ, values: [] })).rows).toEqual(own);
    expect(await runSql(pooled, READ)).toEqual(foreign);
    await db.orm.transaction(async (tx) => {
      expect((await tx.execute(READ)).rows).toEqual(own);
      expect((await tx.execute(READ)).rows).toEqual(own);
    });
    expect(await runSql(pooled, READ)).toEqual(foreign);
    const client = await db.pool.connect();
    await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ");
    expect((await client.query(READ)).rows).toEqual(own);
    expect((await client.query("SELECT current_setting('transaction_isolation') AS level")).rows).toEqual([
      { level: "repeatable read" },
    ]);
    await client.query("ROLLBACK");
    expect((await client.query(READ)).rows).toEqual(own);
    client.release();
    expect(await runSql(pooled, READ)).toEqual(foreign);
    expect(await runSql(pooled, "SELECT name FROM pg_prepared_statements WHERE name = 'read'")).toEqual([]);
  });

  test("statements that fail leave no transaction, and say why", async () => {
    const { pooled, db } = await openBoth(1);
    await expect(db.pool.query("SELECT 1 / 0")).rejects.toMatchObject({ code: "22012" });
    await expect(db.pool.query("SELECT $1::int", ["x"])).rejects.toMatchObject({ code: "22P02" });
    await expect(db.pool.query("SELECT nothing")).rejects.toMatchObject({ code: "42703" });
    await expect(db.orm.transaction((tx) => tx.execute("SELECT 1 / 0"))).rejects.toThrow("SELECT 1 / 0");
    expect((await db.pool.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
    const idle = `SELECT count(*)::int FROM pg_stat_activity
      WHERE datname = current_database() AND state LIKE 'idle in%'`;
    expect(await runSql(pooled, idle)).toEqual([{ count: 0 }]);
  });

  test("statements that are sent together on one connection each have a transaction of their own", async () => {
    const { db } = await openBoth(2);
    const client = await db.pool.connect();
    const ids = await Promise.all(
      Array.from({ length: 5 }, async () => {
        const { rows } = await client.query(
          "SELECT pg_current_xact_id()::text AS id, current_setting('search_path') AS path",
        );
        expect(rows[0].path).toBe("bullmq");
        return rows[0].id as string;
      }),
    );
    client.release();
    expect(new Set(ids).size).toBe(5);
  });

  test("a statement that takes too long is cancelled by PostgreSQL", async () => {
    const { pooled } = await openBoth(2);
    const db = openPooledDatabase(new PostgresServer({ url: pooled }), {
      applicationName: "sluice-test",
      maxConnections: 1,
      answerLimitMs: 2_000,
      onError: () => undefined,
    });
    onTestFinished(db.close);
    await expect(db.pool.query("SELECT pg_sleep(60)")).rejects.toMatchObject({ code: "57014" });
  });
});
