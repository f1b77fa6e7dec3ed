// A relay whose PostgreSQL is behind a pooler. Everything works as without one, and no other client of the pooler gets
// a session with a setting, a lock or a transaction of the relay.

import { describe, expect, onTestFinished } from "vitest";

import { createQueueRedis, type Relay, startRelay, type RelayOptions } from "./support/relay.ts";
import { createTestDatabase, test, type TestDatabase } from "./support/database.ts";
import { findPgBouncer, startPgBouncer } from "./support/pgbouncer.ts";
import { type Receiver, startReceiver } from "./support/receiver.ts";
import { runSql } from "./support/sql.ts";
import { until } from "./support/wait.ts";

const LEFT = `SELECT name, setting FROM pg_settings WHERE source = 'session'
  AND name NOT IN ('application_name', 'client_encoding')`;

async function startPooled(
  poolMode: "session" | "transaction",
  settings: (database: TestDatabase) => Record<string, string>,
  options: Partial<RelayOptions> = {},
) {
  const database = await createTestDatabase();
  onTestFinished(database.drop);
  const pgbouncer = await startPgBouncer([database.url], { poolMode, poolSize: 60 });
  onTestFinished(pgbouncer.stop);
  const redis = await createQueueRedis();
  const pooledUrl = pgbouncer.urlOf(database.url);
  const start = () =>
    startRelay(database, redis?.url, { ...options, databaseUrl: pooledUrl, settings: settings(database) });
  const [relay, receiver] = [await start(), await startReceiver()];
  let stopping: Promise<void> | undefined;
  const stop = () => (stopping ??= relay.stop());
  onTestFinished(async () => {
    await stop();
    await receiver.stop();
    await redis?.drop();
  });
  return { database, pooledUrl, relay, receiver, stop };
}

/** What a relay does with PostgreSQL: intake, delivery, retries, figures, changes, reading, bulk operations. */
async function useEverything(relay: Relay, receiver: Receiver, database: TestDatabase): Promise<void> {
  const target = await relay.createTarget(receiver);
  const signed = await relay.sendEvent();
  await until(() => receiver.requests.length === 1);
  expect(receiver.requests[0]?.body).toEqual(signed.body);
  const { data: deliveries } = await until(() => relay.call("GET", "/v1/deliveries"), {
    accept: (page) => page.data.length === 1 && page.data[0].status === "succeeded",
  });
  await relay.call("POST", `/v1/deliveries/${deliveries[0].id}:retry`);
  await until(() => receiver.requests.length === 2);
  await Promise.all(Array.from({ length: 30 }, () => relay.sendEvent()));
  await until(() => receiver.requests.length === 32);
  for (const verb of ["pause", "resume"]) await relay.call("POST", `/v1/targets/${target.id}:${verb}`);
  await until(() => relay.call("GET", "/v1/stats"), { accept: (stats) => JSON.stringify(stats).includes("32") });
  expect((await relay.readiness()).body).toMatchObject({ status: "ready" });
  // The worker has made the partitions of the next week.
  const partitions = "SELECT count(*)::int AS days FROM pg_inherits WHERE inhparent = 'events'::regclass";
  expect((await runSql(database.url, partitions))[0]?.["days"]).toBeGreaterThanOrEqual(8);
}

describe.skipIf(findPgBouncer() === undefined)("PgBouncer", () => {
  test("pools transactions, with a direct URL for what needs a session", async () => {
    const { database, pooledUrl, relay, receiver } = await startPooled("transaction", ({ url }) => ({
      DATABASE_DIRECT_URL: url,
    }));
    await useEverything(relay, receiver, database);
    // Each of many clients at once gets one of the sessions that the relay has used.
    const clients = await Promise.all(Array.from({ length: 20 }, () => runSql(pooledUrl, LEFT)));
    expect(clients.flat()).toEqual([]);
    const locks = `SELECT count(*)::int AS count FROM pg_locks JOIN pg_stat_activity USING (pid)
      WHERE locktype = 'advisory' AND state = 'idle' AND datname = current_database()`;
    expect(await runSql(database.url, locks)).toEqual([{ count: 0 }]);
  });

  test("pools sessions, and no direct URL is needed", async () => {
    const { database, pooledUrl, relay, receiver, stop } = await startPooled("session", () => ({}));
    await useEverything(relay, receiver, database);
    await stop();
    const clients = await Promise.all(Array.from({ length: 20 }, () => runSql(pooledUrl, LEFT)));
    expect(clients.flat()).toEqual([]);
  });

  test("that pools transactions is refused at the start when there is no direct URL", async () => {
    const starting = startPooled("transaction", () => ({}));
    await expect(starting).rejects.toMatchObject({
      code: "invalid_configuration",
      message: expect.stringContaining("DATABASE_DIRECT_URL"),
    });
  });
});

test("a DATABASE_URL may have options of its own", async () => {
  const database = await createTestDatabase();
  onTestFinished(database.drop);
  const redis = await createQueueRedis();
  const url = new URL(database.url);
  url.searchParams.set("options", "-c work_mem=8MB");
  const relay = await startRelay(database, redis?.url, { databaseUrl: url.href });
  const receiver = await startReceiver();
  onTestFinished(async () => {
    await relay.stop();
    await receiver.stop();
    await redis?.drop();
  });
  await useEverything(relay, receiver, database);
});
