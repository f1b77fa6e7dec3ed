// A process opens no more connections to PostgreSQL than its setting allows, and slow requests to the API take none
// from the ingress.

import { expect, onTestFinished } from "vitest";

import { createTestDatabase, test, type TestDatabase } from "./support/database.ts";
import { startReceiver } from "./support/receiver.ts";
import { createQueueRedis, type RelayOptions, startRelay } from "./support/relay.ts";
import { runSql } from "./support/sql.ts";
import { until } from "./support/wait.ts";

async function startRelayOn(database: TestDatabase, options: RelayOptions) {
  const redis = await createQueueRedis();
  const relay = await startRelay(database, redis?.url, options);
  onTestFinished(async () => {
    await relay.stop();
    await redis?.drop();
  });
  return relay;
}

test("with the fewest connections that are allowed, everything is delivered, and no more are opened", async () => {
  const database = await createTestDatabase();
  onTestFinished(database.drop);
  const fewest = 7;
  const relay = await startRelayOn(database, { settings: { DATABASE_MAX_CONNECTIONS: String(fewest) } });
  const receiver = await startReceiver();
  onTestFinished(receiver.stop);
  const target = await relay.createTarget(receiver);
  const count = `SELECT count(*)::int AS count FROM pg_stat_activity
    WHERE datname = current_database() AND application_name <> 'sluice-test'`;
  let most = 0;
  const watch = new AbortController();
  const watching = (async () => {
    while (!watch.signal.aborted) most = Math.max(most, Number((await runSql(database.url, count))[0]?.["count"]));
  })();
  try {
    await Promise.all([
      ...Array.from({ length: 100 }, () => relay.sendEvent()),
      ...Array.from({ length: 30 }, () => relay.call("GET", "/v1/deliveries")),
      // On a busy machine, a change may wait for a connection for longer than the API lets it.
      ...Array.from({ length: 10 }, (_, index) =>
        until(() => relay.call("PATCH", `/v1/targets/${target.id}`, { max_in_flight: 10 + index })),
      ),
    ]);
    await receiver.waitFor(100, 120_000);
  } finally {
    watch.abort();
    await watching;
  }
  expect(most).toBeGreaterThan(0);
  expect(most).toBeLessThanOrEqual(2 * fewest);
});

test("requests to the API that hang leave the ingress its connections", async () => {
  const database = await createTestDatabase();
  onTestFinished(database.drop);
  const relay = await startRelayOn(database, { withoutWorker: true });
  const blocker = await database.db.pool.connect();
  await blocker.query("BEGIN");
  await blocker.query("LOCK TABLE deliveries");
  const hanging = Array.from({ length: 30 }, () => relay.call("GET", "/v1/deliveries"));
  const waiting = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
  // As many as the API has connections.
  await until(() => runSql(database.url, waiting), { accept: (rows) => rows.length >= 8 });
  await relay.sendEvent();
  expect((await relay.readiness()).body).toMatchObject({ status: "ready", checks: { postgres: { ok: true } } });
  await blocker.query("ROLLBACK");
  blocker.release();
  await Promise.all(hanging);
});

test("a process that may open more connections than PostgreSQL has says so with figures", async () => {
  const database = await createTestDatabase();
  onTestFinished(database.drop);
  const relay = await startRelayOn(database, { settings: { DATABASE_MAX_CONNECTIONS: "1000" }, withoutWorker: true });
  const lines = relay.logLines.map((line) => JSON.parse(line)).filter(({ wanted }) => wanted !== undefined);
  expect(lines).toEqual([
    expect.objectContaining({
      level: "warn",
      wanted: 1_000,
      usable: expect.any(Number),
      in_use: expect.any(Number),
      msg: expect.stringMatching(/PostgreSQL has too few connections: \d+ of \d+ are in use/),
    }),
  ]);
});
