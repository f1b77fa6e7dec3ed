// A store that hangs is worse than one that is away, because nothing fails and nothing is answered. Senders and probes
// must get their answer in time, and a stop must end.

import { expect, inject, onTestFinished, test } from "vitest";

import { SLUICE_VERSION as version } from "@sluice/shared/domain/version";
import { openProxiedStores } from "./support/proxied-stores.ts";
import { timeRun } from "./support/run-time.ts";
import { geminiEvent, signWebhook } from "./support/sign.ts";
import { until } from "./support/wait.ts";

/** Starts a relay without a worker, whose connections to its stores can be frozen. */
async function startFreezable() {
  const { proxies, startRelay } = await openProxiedStores();
  const relay = await startRelay({ withoutWorker: true });
  let stopped: Promise<void> | undefined;
  const stop = () => (stopped ??= relay.stop());
  onTestFinished(async () => {
    const stopping = stop();
    await proxies.postgres.cut();
    await proxies.redis?.cut();
    await stopping;
  });
  return { relay, stop, postgresProxy: proxies.postgres, queueProxy: proxies.redis ?? proxies.postgres };
}

test("while every store hangs, every sender gets a 503 within the deadline, however many wait", async () => {
  const { relay, postgresProxy, queueProxy } = await startFreezable();
  await relay.sendEvent();
  postgresProxy.freeze();
  queueProxy.freeze();
  relay.logLines.length = 0;
  const { value: answers, heldUpMs } = await timeRun(() =>
    Promise.all(
      // More requests than the gateway writes at once, which is four batches of a hundred.
      Array.from({ length: 600 }, () => relay.send(signWebhook({ secret: relay.secret, body: geminiEvent() }))),
    ),
  );
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([503]));
  expect(Number(answers[0]?.headers.get("retry-after"))).toBeGreaterThan(0);
  // The durations are those that the gateway measured from the arrival of each request, because this process is busy
  // with sending.
  const durations = relay.logLines
    .map((line) => JSON.parse(line) as { msg: string; duration_ms: number })
    .filter(({ msg }) => msg === "ingress")
    .map(({ duration_ms }) => duration_ms);
  expect(durations).toHaveLength(answers.length);
  // The deadline is 5.5 s or 6 s. If batches waited one after the other, the last would take twice that.
  expect(Math.max(...durations) - heldUpMs).toBeLessThan(9_000);
});

test("a probe is answered while PostgreSQL hangs: degraded, or not ready when the queue is in PostgreSQL", async () => {
  const { relay, postgresProxy } = await startFreezable();
  // The connection to Redis is made while this test waits for readiness.
  const takes = inject("queue");
  const redis = takes === "redis" && {
    redis: { ok: true, durable: true, replicas: { required: 0, seen: 0 }, problems: [] },
  };
  // The gateway has the sources in memory, so they are ok whatever their age is.
  const sources = { ok: true, age_seconds: expect.any(Number), from_snapshot: false };
  const { body } = await until(relay.readiness, { accept: ({ body: { status } }) => status === "ready" });
  expect(body).toEqual({
    status: "ready",
    version,
    checks: { postgres: { ok: true }, ...redis, queue: { ok: true, takes }, sources },
  });
  postgresProxy.freeze();
  // A store that took a job within the last second is not asked.
  await until(relay.readiness, { accept: (answer) => answer.body.checks.postgres.problem === "no answer" });
  for (let probe = 0; probe < 3; probe++) {
    const postgres = { ok: false, problem: "no answer" };
    const { value: answer, ranMs } = await timeRun(relay.readiness);
    expect(ranMs).toBeLessThan(4_000);
    expect(answer).toEqual(
      takes === "redis"
        ? {
            status: 200,
            body: { status: "degraded", version, checks: { postgres, ...redis, queue: { ok: true, takes }, sources } },
          }
        : {
            status: 503,
            body: {
              status: "not_ready",
              version,
              checks: { postgres, queue: { ok: false, takes: null, problem: "no store takes events" }, sources },
            },
          },
    );
  }
});

test("a stop ends while every store hangs", async () => {
  const { relay, stop, postgresProxy, queueProxy } = await startFreezable();
  await relay.sendEvent();
  postgresProxy.freeze();
  queueProxy.freeze();
  // The probe leaves a statement running in each store.
  await relay.readiness();
  expect((await timeRun(stop)).ranMs).toBeLessThan(15_000);
});

test("a gateway that is told to stop first reports it in /readyz, and accepts events meanwhile", async () => {
  const { relay } = await startFreezable();
  const notice = Promise.withResolvers<void>();
  const gateway = await relay.startGateway({ stopNotice: () => notice.promise });
  const stopped = gateway.stop();
  const ready = await fetch(`${gateway.apiUrl}/readyz`);
  expect([ready.status, await ready.json()]).toMatchObject([503, { status: "stopping" }]);
  const { headers, body } = signWebhook({ secret: relay.secret, body: geminiEvent() });
  const answer = await fetch(`${gateway.ingressUrl}/in/gemini`, { method: "POST", headers, body });
  expect([answer.status, answer.headers.get("connection")]).toEqual([200, "close"]);
  await answer.body?.cancel();
  notice.resolve();
  await stopped;
  await until(() =>
    fetch(`${gateway.ingressUrl}/healthz`).then(
      () => false,
      () => true,
    ),
  );
});
