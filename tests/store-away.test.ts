// While no store takes an event durably, no sender is told that it was accepted. An accepted event outlasts the outage.

import { expect, inject, onTestFinished, test } from "vitest";

import { openProxiedStores } from "./support/proxied-stores.ts";
import { type Receiver, startReceiver } from "./support/receiver.ts";
import { geminiEvent, signWebhook } from "./support/sign.ts";
import { until } from "./support/wait.ts";

/**
 * Covers the worst case: a statement stores deliveries and its answer is lost. No worker then attempts them until their
 * lease of 45 s runs out and a sweep finds them.
 */
const LEASE_LIMIT_MS = 120_000;
const RECOVERY_LIMIT_MS = 60_000;

/** Resolves when a receiver has got all these events. It may get others too. */
async function waitForEvents(receiver: Receiver, webhookIds: readonly string[], timeoutMs = RECOVERY_LIMIT_MS) {
  await until(
    () => {
      const received = new Set(receiver.requests.map(({ headers }) => headers["webhook-id"]));
      return webhookIds.filter((webhookId) => !received.has(webhookId));
    },
    { accept: (missing) => missing.length === 0, timeoutMs, what: "every acknowledged event" },
  );
}

/** Starts a relay whose connections to its stores can be cut, with a receiver that gets every event. */
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

test("with every store away a valid event is a 503 with Retry-After, and accepted when they are back", async () => {
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
  // The gateway stays alive for the supervisor, because a restart would not bring the stores back.
  const alive = await fetch(`${relay.apiUrl}/healthz`);
  expect(alive.status).toBe(200);
  await alive.body?.cancel();

  await restore();
  await until(() => relay.send(signed), { accept: ({ status }) => status === 200, timeoutMs: RECOVERY_LIMIT_MS });
  await waitForEvents(receiver, [signed.webhookId]);
});

test(
  "events that were acknowledged before an outage under load are delivered after it",
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
    await waitForEvents(receiver, acknowledged, LEASE_LIMIT_MS);
  },
  2 * LEASE_LIMIT_MS,
);

// When the queue is on PostgreSQL, the first test covers its absence.
if (inject("queue") === "redis") {
  test("with only PostgreSQL away events are accepted, and delivered when it is back", async () => {
    const { relay, receiver, proxies } = await startCuttable();
    await until(relay.readiness, { accept: ({ body }) => body.status === "ready" });
    await proxies.postgres.cut();
    const signed = signWebhook({ secret: relay.secret, body: geminiEvent() });
    // While the machine stands still, Redis may be too slow for the first try, and PostgreSQL cannot take the event
    // instead.
    await until(() => relay.send(signed), { accept: ({ status }) => status === 200 });
    await proxies.postgres.restore();
    await waitForEvents(receiver, [signed.webhookId]);
  });

  test("with only Redis away events are accepted and delivered all the while, and Redis is used again", async () => {
    const { relay, receiver, proxies } = await startCuttable();
    await until(relay.readiness, { accept: ({ body }) => body.status === "ready" });
    const first = await relay.sendUntilRedisTakes();
    await waitForEvents(receiver, [first.webhookId]);
    await proxies.redis?.cut();
    const { redis, postgres } = await relay.countIntakeJobs();
    const sent: string[] = [];
    for (let count = 0; count < 20; count++) {
      const signed = signWebhook({ secret: relay.secret, body: geminiEvent() });
      // Not even one 503, after which a sender would have to try again.
      expect((await relay.send(signed)).status).toBe(200);
      sent.push(signed.webhookId);
    }
    await waitForEvents(receiver, sent);
    expect(await relay.countIntakeJobs()).toEqual({ redis, postgres: postgres + 20 });
    expect(await relay.readiness()).toMatchObject({
      status: 200,
      body: { status: "degraded", checks: { redis: { ok: false }, queue: { ok: true, takes: "postgres" } } },
    });

    await proxies.redis?.restore();
    await until(relay.readiness, { accept: ({ body }) => body.status === "ready" });
    const last = await relay.sendUntilRedisTakes();
    await waitForEvents(receiver, [last.webhookId]);
  });

  test("gateway and worker start and work while Redis is away, and use it when it is back", async () => {
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
    const last = await relay.sendUntilRedisTakes();
    await waitForEvents(receiver, [last.webhookId]);
  });
}
