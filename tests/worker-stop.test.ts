// A worker that is told to stop ends, whichever store is away, and records the attempts that it was making if it can.

import { expect, inject, onTestFinished, test } from "vitest";

import { openProxiedStores } from "./support/proxied-stores.ts";
import { startReceiver } from "./support/receiver.ts";
import { timeRun } from "./support/run-time.ts";
import { until } from "./support/wait.ts";

/** The worker's `stop_grace_period` of 45 s in docker-compose.yml, less a reserve for a busy machine. */
const STOP_LIMIT_MS = 40_000;
/** The limit when the worker has nothing to wait for. */
const QUICK_STOP_MS = 20_000;

async function startCuttable() {
  const { database, proxies, startRelay } = await openProxiedStores();
  const relay = await startRelay({ withoutWorker: true });
  const receiver = await startReceiver();
  await relay.createTarget(receiver);
  const worker = await relay.startWorker();
  const cutStores = new Map<string, () => Promise<void>>([
    ["PostgreSQL", proxies.postgres.cut],
    ["Redis", async () => proxies.redis?.cut()],
  ]);
  onTestFinished(async () => {
    await receiver.stop();
    // The gateway must end too, although its stores are away.
    await relay.stop();
  });
  return { relay, receiver, worker, database, cut: (store: string) => cutStores.get(store)?.() };
}

const timeStop = async (stop: () => Promise<void>) => (await timeRun(stop)).ranMs;

const outages = (
  inject("queue") === "redis" ? [["Redis"], ["PostgreSQL"], ["Redis", "PostgreSQL"]] : [["PostgreSQL"]]
).map((stores) => ({ stores, named: stores.join(" and ") }));

test.for(outages)("with $named away a worker without attempts in progress stops", async ({ stores }) => {
  const { relay, receiver, worker, cut } = await startCuttable();
  await relay.sendEvent();
  await receiver.waitFor(1);
  await until(async () => (await relay.call("GET", "/v1/deliveries?status=succeeded")).data.length === 1);
  for (const store of stores) await cut(store);
  expect(await timeStop(worker.stop)).toBeLessThan(QUICK_STOP_MS);
});

if (inject("queue") === "redis") {
  test("with Redis away a worker finishes and records its attempts in progress, and stops", async () => {
    const { relay, receiver, worker, database, cut } = await startCuttable();
    receiver.answerWith(() => ({ status: 200, delayMs: 3_000 }));
    await relay.sendEvent();
    await receiver.waitFor(1);
    await cut("Redis");
    expect(await timeStop(worker.stop)).toBeLessThan(QUICK_STOP_MS);
    const { rows } = await database.db.pool.query("SELECT status FROM deliveries");
    expect(rows).toEqual([{ status: "succeeded" }]);
  });
} else {
  test("a worker that cannot record an attempt stops when its time is over, and fails with that reason", async () => {
    const { relay, receiver, worker, cut } = await startCuttable();
    receiver.answerWith(() => ({ status: 200, delayMs: 1_000 }));
    await relay.sendEvent();
    await receiver.waitFor(1);
    await cut("PostgreSQL");
    const elapsed = timeStop(() => expect(worker.stop()).rejects.toThrow("record every attempt"));
    expect(await elapsed).toBeLessThan(STOP_LIMIT_MS);
  });
}
