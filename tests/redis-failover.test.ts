// A failover of Redis loses no acknowledged event, and nobody has to restart a process after it.

import { describe, expect, inject, onTestFinished, test } from "vitest";

import type { Producer, QueueStatus, RedisReplicaRule } from "@sluice/queue/queue";

import { createTestDatabase, type TestDatabase } from "./support/database.ts";
import { startProxy } from "./support/proxy.ts";
import { openBackend } from "./support/queue.ts";
import { startReceiver } from "./support/receiver.ts";
import { findRedisServer } from "./support/redis-server.ts";
import { startRelay } from "./support/relay.ts";
import { countOnline, follow, promote, startReplicatedRedis } from "./support/replicated-redis.ts";
import { makeQueuedEvent as event } from "./support/seed.ts";
import { until } from "./support/wait.ts";

const EVENTS = 40;

async function openDatabase(): Promise<TestDatabase> {
  const database = await createTestDatabase();
  onTestFinished(database.drop);
  return database;
}

async function openProducer(database: TestDatabase, redisUrl: string, replicas?: RedisReplicaRule) {
  const backend = await openBackend(database, redisUrl, { replicas });
  const producer = backend.openProducer();
  let closed: Promise<void> | undefined;
  const close = () => (closed ??= producer.close().then(() => backend.close()));
  onTestFinished(close);
  return { producer, close };
}

const add = (producer: Producer) => producer.add("intake", { events: [event()] });
const takes = (store: "redis" | "postgres") => ({ accept: (status: QueueStatus) => status.takes === store });

describe.runIf(inject("queue") === "redis" && findRedisServer() !== undefined)("Redis", () => {
  test("takes no event while a replica does not confirm it, and takes events again when the replica does", async () => {
    const { primary, replicas } = await startReplicatedRedis(2);
    const { producer } = await openProducer(await openDatabase(), primary.url);
    // On a busy machine, PostgreSQL may tell of earlier replicas only when it is asked again.
    const { redis } = await until(() => producer.status(), { accept: (status) => status.redis?.isWell === true });
    expect(redis).toMatchObject({ takesJobs: true, durable: true, replicas: { required: 2, seen: 2 }, problems: [] });
    await until(() => add(producer), { accept: (store) => store === "redis" });

    const [replica = primary] = replicas;
    process.kill(replica.pid, "SIGSTOP");
    expect(await add(producer)).toBe("postgres");
    expect(producer.redis?.state).toMatchObject({ takesJobs: false, problems: ["1 of 2 replicas confirmed"] });
    // A wake-up waits for nobody, and goes where the events go.
    expect(await producer.add("deliver", { targetId: "none" })).toBe("postgres");

    process.kill(replica.pid, "SIGCONT");
    await until(() => producer.status(), takes("redis"));
    await until(() => add(producer), { accept: (store) => store === "redis" });
  });

  test("with a replica that is gone takes no event, also from a process that never saw the replica", async () => {
    const { primary, replicas } = await startReplicatedRedis(1);
    const database = await openDatabase();
    const first = await openProducer(database, primary.url);
    await until(() => first.producer.status(), takes("redis"));
    await first.close();

    await replicas[0]?.stop();
    await until(async () => (await countOnline(primary)) === 0);
    const { producer } = await openProducer(database, primary.url);
    const { redis } = await until(() => producer.status(), {
      accept: (status) => status.redis?.problems.includes("0 of 1 replicas confirmed") === true,
    });
    expect(redis).toMatchObject({ takesJobs: false, replicas: { required: 1, seen: 0 } });
    expect(await add(producer)).toBe("postgres");

    // The operator knows that the replica does not come back.
    const told = await openProducer(database, primary.url, 0);
    const status = await until(() => told.producer.status(), takes("redis"));
    expect(status.redis).toMatchObject({ isWell: true, replicas: { required: 0, seen: 0 } });
  });

  test("that can wait for files takes no event while a replica has it in memory only", async ({ skip }) => {
    const { primary, replicas } = await startReplicatedRedis(1);
    const [known] = (await primary.client.call("COMMAND", "INFO", "waitaof")) as unknown[];
    skip(!Array.isArray(known), "this Redis has no WAITAOF");
    await replicas[0]?.client.config("SET", "appendonly", "no");
    const { producer } = await openProducer(await openDatabase(), primary.url);
    await until(() => producer.status(), {
      accept: (status) => status.redis?.problems.includes("0 of 1 replicas confirmed") === true,
    });
    expect(await add(producer)).toBe("postgres");
    await replicas[0]?.client.config("SET", "appendonly", "yes");
    await until(() => producer.status(), takes("redis"));
    await until(() => add(producer), { accept: (store) => store === "redis" });
  });

  test("whose replicas nobody waits for takes events, and its state says that a failover may lose them", async () => {
    const { primary } = await startReplicatedRedis(1);
    const { producer } = await openProducer(await openDatabase(), primary.url, 0);
    const { redis } = await until(() => producer.status(), takes("redis"));
    expect(redis).toMatchObject({ isWell: false, durable: false, problems: ["jobs wait for 0 of 1 replicas"] });
    await until(() => add(producer), { accept: (store) => store === "redis" });
  });

  test("fails over to a replica that lags, with the workers stopped, and no acknowledged event is lost", async () => {
    const { primary, replicas } = await startReplicatedRedis(1);
    const [replica = primary] = replicas;
    // What the primary sends through this proxy can be held back and lost.
    const link = await startProxy(primary.url, 6379);
    await replica.client.replicaof("127.0.0.1", new URL(link.url).port);
    await until(async () => (await countOnline(primary)) === 1);
    const address = await startProxy(primary.url, 6379);
    const database = await createTestDatabase();
    const relay = await startRelay(database, address.url, { withoutWorker: true });
    const receiver = await startReceiver();
    const workers: { stop: () => Promise<void> }[] = [];
    onTestFinished(async () => {
      await receiver.stop();
      await relay.stop();
      for (const worker of workers) await worker.stop();
      await address.cut();
      await link.cut();
      await database.drop();
    });
    await relay.createTarget(receiver);
    await until(relay.readiness, {
      accept: ({ body }) => body.status === "ready" && body.checks.redis.replicas.seen === 1,
    });
    const acknowledged = new Set<string>();
    const sendSome = async () => {
      const sent = await Promise.all(Array.from({ length: EVENTS }, () => relay.sendEvent()));
      for (const { webhookId } of sent) acknowledged.add(webhookId);
    };
    await sendSome();
    link.freeze();
    await sendSome();

    await primary.stop();
    await link.cut();
    await promote(replica);
    address.redirect(replica.url);
    workers.push(await relay.startWorker());
    await until(() => new Set(receiver.requests.map(({ headers }) => headers["webhook-id"])).size === 2 * EVENTS);
    expect(new Set(receiver.requests.map(({ headers }) => headers["webhook-id"]))).toEqual(acknowledged);
  });

  test("that fails over behind an address which keeps old connections is used again without a restart", async () => {
    const { primary, replicas } = await startReplicatedRedis(1);
    const [replica = primary] = replicas;
    const address = await startProxy(primary.url, 6379);
    const database = await createTestDatabase();
    const relay = await startRelay(database, address.url);
    const receiver = await startReceiver();
    onTestFinished(async () => {
      await receiver.stop();
      await relay.stop();
      await address.cut();
      await database.drop();
    });
    await relay.createTarget(receiver);
    await until(relay.readiness, { accept: ({ body: { status } }) => status === "ready" });
    await relay.sendUntilRedisTakes();
    await until(() => receiver.requests.length > 0);

    // The old primary stays and becomes a replica. Every connection that is open now stays with it.
    await promote(replica);
    address.redirect(replica.url);
    await follow(primary, replica);
    await until(async () => (await countOnline(replica)) === 1);

    await until(relay.readiness, { accept: ({ body: { status } }) => status === "ready" });
    const signed = await relay.sendUntilRedisTakes();
    // The event is in the new primary, so this worker has found it too.
    await until(() => receiver.requests.some(({ headers }) => headers["webhook-id"] === signed.webhookId));
    const askWorker = async () => (await (await fetch(`${relay.workerUrl}/readyz`)).json()) as { status: string };
    await until(askWorker, { accept: ({ status }) => status === "ready" });
  });
});
