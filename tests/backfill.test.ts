// A new target gets everything that came before it, by a replay of many events with a whole relay; also when the worker
// that carries it out is killed.

import { randomBytes } from "node:crypto";

import { expect } from "vitest";

import { formatId } from "@sluice/shared/domain/ids";
import { findSourceId } from "@sluice/store/configuration/sources";
import { readRevision } from "@sluice/store/connection/configuration-revision";
import { withClient } from "@sluice/store/connection/database";
import { storeEvents } from "@sluice/store/delivery/store-events";

import { test as base } from "./support/database.ts";
import { KilledWorker } from "./support/killed-worker.ts";
import { openProcessGroup } from "./support/process-group.ts";
import { startReceiver } from "./support/receiver.ts";
import { createQueueRedis, startRelay, test } from "./support/relay.ts";
import { makeEvent, newLease } from "./support/seed.ts";
import { until } from "./support/wait.ts";

const EVENTS = 1_000;
/** So few requests at once that the replay pauses between its steps. */
const SLOWLY = { max_in_flight: 1 };
/** An advisory lock of this test alone. */
const HELD = 460_046;

test("a new target gets the events that are older than itself, in one call", async ({ relay, receiver }) => {
  const sent = await Promise.all(Array.from({ length: 12 }, () => relay.sendEvent()));
  await until(async () => (await relay.call("GET", "/v1/events?source=gemini")).data.length, {
    accept: (count) => count === sent.length,
  });
  const target = await relay.createTarget(receiver);
  const body = { targets: [target.id], source: "gemini", since: "2020-01-01T00:00:00Z" };
  expect(await relay.call("POST", "/v1/events:replay", { ...body, dry_run: true })).toMatchObject({
    matched: sent.length,
    complete: true,
    targets: [{ target: target.id, created: sent.length }],
  });
  const started = await relay.call("POST", "/v1/events:replay", body);
  const received = await receiver.waitFor(sent.length);
  const bodies = new Map(received.map((request) => [request.headers["webhook-id"], request.body]));
  for (const { webhookId, body: signed } of sent) expect(bodies.get(webhookId)?.equals(signed)).toBe(true);
  const ended = await until(() => relay.call("GET", `/v1/operations/${started.id}`), {
    accept: ({ state }) => state !== "running",
  });
  expect(ended).toMatchObject({ state: "succeeded", total: sent.length, done: sent.length });
  expect(receiver.requests).toHaveLength(sent.length);
});

base(
  "a replay misses no event and doubles no delivery when its worker is killed, between steps and in one",
  async ({ database, onTestFinished }) => {
    const { db } = database;
    const redis = await createQueueRedis();
    onTestFinished(async () => redis?.drop());
    const settings = { MASTER_KEY: randomBytes(32).toString("base64") };
    const relay = await startRelay(database, redis?.url, { settings, withoutWorker: true });
    onTestFinished(() => relay.stop());
    const group = openProcessGroup();
    onTestFinished(() => group.remove());
    const worker = new KilledWorker(
      {
        ...settings,
        DATABASE_URL: database.url,
        ...(redis !== undefined && { REDIS_URL: redis.url }),
        WORKER_PORT: "0",
        TARGET_LOOPBACK: "allow",
        LOG_LEVEL: "silent",
      },
      (pid) => group.add(pid, "SIGKILL"),
    );
    onTestFinished(() => worker.end());
    const receivers = [await startReceiver(), await startReceiver()];
    for (const receiver of receivers) onTestFinished(receiver.stop);

    const sourceId = (await findSourceId(db, "gemini")) ?? "";
    const events = Array.from({ length: EVENTS }, () => makeEvent({ sourceId }));
    await storeEvents(db, await readRevision(db, "targets"), events, [], newLease());
    const targets = [];
    for (const receiver of receivers) targets.push((await relay.createTarget(receiver, SLOWLY)).id as string);
    const { id } = await relay.call("POST", "/v1/events:replay", { targets, source: "gemini" });
    const operation = () => relay.call("GET", `/v1/operations/${id}`);

    worker.start();
    await until(operation, { accept: ({ done }) => done > 0 });
    await worker.killAndStart();
    // Holds the next step where it has made its deliveries and writes how far it is.
    await db.pool.query(`
    CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock(${HELD}); RETURN NEW; END $$;
    CREATE TRIGGER hold BEFORE UPDATE ON operations FOR EACH ROW EXECUTE FUNCTION hold()`);
    await withClient(db, async (client) => {
      await client.query("SELECT pg_advisory_lock($1)", [HELD]);
      const isHeld = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = $1 AND NOT granted";
      await until(async () => (await db.pool.query(isHeld, [HELD])).rowCount, { what: "a worker in a step" });
      await worker.end();
      await client.query("SELECT pg_advisory_unlock($1)", [HELD]);
    });
    expect((await operation()).state).toBe("running");
    await worker.killAndStart();
    const ended = await until(operation, { accept: ({ state }) => state !== "running" });

    const none = { retried: 0, skipped: 0, not_matched: 0, filter_errors: 0, left_out: 0 };
    expect(ended).toMatchObject({
      state: "succeeded",
      total: EVENTS,
      done: EVENTS,
      failed: 0,
      replay: { matched: EVENTS, targets: targets.map((target) => ({ target, created: EVENTS, ...none })) },
    });
    const wanted = new Set(events.map(({ webhookId }) => webhookId));
    for (const receiver of receivers) {
      await until(() => new Set(receiver.requests.map(({ headers }) => headers["webhook-id"])), {
        accept: (received) => received.size === EVENTS,
      });
      expect(new Set(receiver.requests.map(({ headers }) => headers["webhook-id"]))).toEqual(wanted);
    }
    const { rows } = await db.pool.query<{ id: string; count: number }>(
      "SELECT target_id AS id, count(*)::int AS count FROM deliveries GROUP BY 1 ORDER BY 1",
    );
    expect(rows.map((row) => [formatId("tgt", row.id), row.count])).toEqual(targets.map((target) => [target, EVENTS]));
  },
);
