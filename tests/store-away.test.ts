// While nothing durable takes an event, nobody is told that it was taken; and what was taken outlasts the outage.

import { expect, inject, onTestFinished, test } from "vitest";

import { openProxiedStores } from "./support/proxied-stores.ts";
import { startReceiver } from "./support/receiver.ts";
import { geminiEvent, signWebhook } from "./support/sign.ts";
import { until } from "./support/wait.ts";

// Deliveries that were stored by a statement whose answer was lost are in nobody's hands until their lease of 45 s
// runs out and the sweep finds them: the worst case.
const LEASE_LIMIT_MS = 75_000;

/** A relay whose ways to its stores can be cut, with a receiver that it delivers everything to. */
async function startCuttable({ withoutRedis = false } = {}) {
  const { proxies, startRelay } = await openProxiedStores();
  if (withoutRedis) await proxies.redis?.cut();
  const relay = await startRelay();
  const receiver = await startReceiver();
  await relay.createTarget(receiver);
  onTestFinished(async () => {
    await relay.deleteTargets(receiver);
    await receiver.stop();
    await relay.stop();
  });
  const all = [proxies.postgres, ...(proxies.redis ? [proxies.redis] : [])];
  return {
    relay,
    receiver,
    proxies,
    cut: () => Promise.all(all.map((proxy) => proxy.cut())),
    restore: () => Promise.all(all.map((proxy) => proxy.restore())),
  };
}

test("with every store away a valid event is a 503 with Retry-After, and taken again when they are back", async () => {
  const { relay, receiver, cut, restore } = await startCuttable();
  await relay.sendEvent();
  await receiver.waitFor(1);
  await cut();
  const signed = signWebhook({ secret: relay.secret, body: geminiEvent() });
  const answer = await relay.send(signed);
  expect(answer).toMatchObject({ status: 503, body: { code: "unavailable" } });
  expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
  expect(await relay.readiness()).toMatchObject({
    status: 503,
    body: { status: "not_ready", checks: { queue: { ok: false, takes: null } } },
  });
  // Liveness is another question: a restart would not bring the stores back.
  const alive = await fetch(`${relay.apiUrl}/healthz`);
  expect(alive.status).toBe(200);
  await alive.body?.cancel();

  await restore();
  await until(() => relay.send(signed), { accept: ({ status }) => status === 200, timeoutMs: 30_000 });
  await until(() => receiver.requests.some(({ headers }) => headers["webhook-id"] === signed.webhookId), {
    timeoutMs: 30_000,
  });
});

test(
  "what was acknowledged before an outage in the middle of it all is delivered after it",
  async () => {
    const { relay, receiver, cut, restore } = await startCuttable();
    const acknowledged: string[] = [];
    const sending = Promise.all(
      Array.from({ length: 300 }, async () => {
        const signed = signWebhook({ secret: relay.secret, body: geminiEvent() });
        if ((await relay.send(signed)).status === 200) acknowledged.push(signed.webhookId);
      }),
    );
    await receiver.waitFor(1);
    await cut();
    await sending;
    await restore();
    await until(
      () => {
        const received = new Set(receiver.requests.map(({ headers }) => headers["webhook-id"]));
        return acknowledged.filter((webhookId) => !received.has(webhookId));
      },
      { accept: (missing) => missing.length === 0, timeoutMs: LEASE_LIMIT_MS, what: "every acknowledged event" },
    );
  },
  2 * LEASE_LIMIT_MS,
);

// Where the queue is on PostgreSQL, its absence is the first test.
if (inject("queue") === "redis") {
  test("with PostgreSQL alone away events are taken, and delivered when it is back", async () => {
    const { relay, receiver, proxies } = await startCuttable();
    await proxies.postgres.cut();
    const signed = await relay.sendEvent();
    await proxies.postgres.restore();
    const [request] = await receiver.waitFor(1, 30_000);
    expect(request?.headers["webhook-id"]).toBe(signed.webhookId);
  });

  test("with Redis alone away events are taken and delivered all the while, and Redis is used again", async () => {
    const { relay, receiver, proxies } = await startCuttable();
    await relay.sendEvent();
    await receiver.waitFor(1);
    expect(await relay.countIntakeJobs()).toEqual({ redis: 1, postgres: 0 });
    await proxies.redis?.cut();
    const sent: string[] = [];
    for (let count = 0; count < 20; count++) sent.push((await relay.sendEvent()).webhookId);
    const requests = await receiver.waitFor(21);
    const received = new Set(requests.map(({ headers }) => headers["webhook-id"]));
    expect(sent.filter((webhookId) => !received.has(webhookId))).toEqual([]);
    expect(await relay.countIntakeJobs()).toEqual({ redis: 1, postgres: 20 });
    expect(await relay.readiness()).toMatchObject({
      status: 200,
      body: { status: "degraded", checks: { redis: { ok: false }, queue: { ok: true, takes: "postgres" } } },
    });

    await proxies.redis?.restore();
    await until(relay.readiness, { accept: ({ body }) => body.status === "ready" });
    await relay.sendEvent();
    await receiver.waitFor(22);
    expect(await relay.countIntakeJobs()).toEqual({ redis: 2, postgres: 20 });
  });

  test("gateway and worker start with Redis away, work, and find it when it comes", async () => {
    const { relay, receiver, proxies } = await startCuttable({ withoutRedis: true });
    const worker = await fetch(`${relay.workerUrl}/readyz`);
    expect([worker.status, await worker.json()]).toMatchObject([
      200,
      { status: "degraded", checks: { postgres: { ok: true }, redis: { ok: false } } },
    ]);
    await relay.sendEvent();
    await receiver.waitFor(1);
    expect(await relay.countIntakeJobs()).toEqual({ redis: 0, postgres: 1 });
    await proxies.redis?.restore();
    await until(relay.readiness, { accept: ({ body }) => body.status === "ready" });
    await relay.sendEvent();
    await receiver.waitFor(2, 30_000);
    expect(await relay.countIntakeJobs()).toEqual({ redis: 1, postgres: 1 });
  });
}
