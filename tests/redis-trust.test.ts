// Redis takes events only while it keeps them durably and answers in time. Otherwise PostgreSQL takes them, and no
// event waits for a Redis that is known to be in trouble.

import { describe, expect, inject, onTestFinished, test } from "vitest";

import type { Producer, QueueStatus, RedisDurability } from "@sluice/queue/queue";
import { openLog } from "@sluice/shared/runtime/log";
import { readRelayId } from "@sluice/store/connection/configuration-row";
import { PostgresServer } from "@sluice/store/connection/postgres-server";

import { findRedisServer } from "./support/redis-server.ts";
import { createTestDatabase } from "./support/database.ts";
import { startProxy } from "./support/proxy.ts";
import { openBackend } from "./support/queue.ts";
import { startReceiver } from "./support/receiver.ts";
import { type OwnRedis, startOwnRedis } from "./support/redis.ts";
import { startRelay } from "./support/relay.ts";
import { makeQueuedEvent as event } from "./support/seed.ts";
import { until } from "./support/wait.ts";

/** A producer reads the settings of Redis every 30 s. */
const CHECK_LIMIT_MS = 90_000;

async function startRedis(): Promise<OwnRedis> {
  const redis = await startOwnRedis();
  onTestFinished(redis.stop);
  return redis;
}

/** Opens a producer without a consumer, so that the jobs that it adds stay in their store. */
async function openProducer({ redisUrl, durability }: { redisUrl: string; durability?: RedisDurability }) {
  const database = await createTestDatabase();
  const [postgres, redis] = [await startProxy(database.url, 5432), await startProxy(redisUrl, 6379)];
  const logLines: string[] = [];
  const log = openLog("gateway", "info", { write: (line) => void logLines.push(line) });
  const relayId = await readRelayId(database.db);
  const backend = await openBackend(database, redis.url, {
    postgres: { server: new PostgresServer(postgres) },
    durability,
    log,
  });
  const producer = backend.openProducer();
  onTestFinished(async () => {
    await producer.close();
    await backend.close();
    await postgres.cut();
    await redis.cut();
    await database.drop();
  });
  const countInPostgres = async () => {
    const { rows } = await database.db.pool.query("SELECT count(*)::int FROM bullmq.job WHERE queue = 'intake'");
    return rows[0].count as number;
  };
  return { producer, postgres, redis, countInPostgres, logLines, waitKey: `{sluice:${relayId}}:intake:wait` };
}

const add = (producer: Producer) => producer.add("intake", { events: [event()] });
/**
 * Adds jobs until Redis takes one. While the machine stands still, a healthy Redis may need longer than a request
 * waits.
 */
const addToRedis = (producer: Producer) => until(() => add(producer), { accept: (store) => store === "redis" });
const takes = (store: "redis" | "postgres") => ({ accept: (status: QueueStatus) => status.takes === store });

describe.runIf(inject("queue") === "redis" && findRedisServer() !== undefined)("Redis", () => {
  test("that hangs holds up one event for the time limit, and no event after it", async () => {
    const own = await startRedis();
    const { producer, redis, countInPostgres, waitKey } = await openProducer({ redisUrl: own.url });
    await until(() => producer.status(), takes("redis"));
    await addToRedis(producer);
    const inRedis = await own.client.llen(waitKey);
    const inPostgres = await countInPostgres();
    redis.freeze();
    for (let count = 0; count < 20; count++) expect(await add(producer)).toBe("postgres");
    expect(await countInPostgres()).toBe(inPostgres + 20);
    // The data that was held back arrives now. Only the first of the twenty jobs was sent to Redis.
    redis.thaw();
    await until(() => producer.status(), takes("redis"));
    expect((await own.client.llen(waitKey)) - inRedis).toBeLessThanOrEqual(1);
    await addToRedis(producer);
  });

  test("that was only slow still takes the event when PostgreSQL is away", async () => {
    const own = await startRedis();
    const { producer, postgres, redis } = await openProducer({ redisUrl: own.url });
    await until(() => producer.status(), takes("redis"));
    await postgres.cut();
    redis.freeze();
    const added = add(producer);
    await until(() => producer.redis?.state.takesJobs === false);
    redis.thaw();
    expect(await added).toBe("redis");
  });

  test("that is away together with PostgreSQL makes `add` fail, and no store takes the event", async () => {
    const own = await startRedis();
    const { producer, postgres, redis } = await openProducer({ redisUrl: own.url });
    await until(() => producer.status(), takes("redis"));
    await Promise.all([postgres.cut(), redis.cut()]);
    await expect(add(producer)).rejects.toMatchObject({ code: "unavailable" });
    expect(await producer.status()).toMatchObject({ takes: undefined });
  });

  test("that does not sync each write takes no event until it does, and readiness and log say why", async () => {
    const own = await startRedis();
    await own.client.config("SET", "appendfsync", "everysec");
    const database = await createTestDatabase();
    const relay = await startRelay(database, own.url);
    const receiver = await startReceiver();
    onTestFinished(async () => {
      await receiver.stop();
      await relay.stop();
      await database.drop();
    });
    await relay.createTarget(receiver);
    await expect.poll(relay.readiness, { timeout: 40_000 }).toEqual({
      status: 200,
      body: {
        status: "degraded",
        version: expect.any(String),
        checks: {
          postgres: { ok: true },
          redis: {
            ok: false,
            durable: false,
            replicas: { required: 0, seen: 0 },
            problems: ["appendfsync is everysec"],
          },
          queue: { ok: true, takes: "postgres" },
          sources: { ok: true, age_seconds: expect.any(Number), from_snapshot: false },
        },
      },
    });
    for (let count = 0; count < 3; count++) await relay.sendEvent();
    await receiver.waitFor(3);
    expect(await relay.countIntakeJobs()).toEqual({ redis: 0, postgres: 3 });
    // Gateway and worker check Redis again and again, but log a line only when the problems have changed.
    for (const service of ["gateway", "worker"]) {
      const readWarnings = () =>
        relay.logLines
          .map((line) => JSON.parse(line))
          .filter(({ app, msg }) => app === service && msg === "Redis takes no jobs: they go to PostgreSQL")
          .map(({ problems }) => problems.join() as string);
      const warnings = await until(readWarnings, { accept: (all) => all.includes("appendfsync is everysec") });
      expect(warnings.filter((warning, index) => warning === warnings[index - 1])).toEqual([]);
    }

    await own.client.config("SET", "appendfsync", "always");
    await until(relay.readiness, { accept: ({ body }) => body.status === "ready" });
    await relay.sendUntilRedisTakes();
    await receiver.waitFor(4);
  });

  test("has its settings read again after each reconnect, and from time to time", async () => {
    const own = await startRedis();
    const { producer } = await openProducer({ redisUrl: own.url });
    await until(() => producer.status(), takes("redis"));
    await own.client.config("SET", "maxmemory-policy", "allkeys-lru");
    await own.client.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
    await until(() => producer.status(), {
      accept: ({ redis }) => redis?.problems.includes("maxmemory-policy is allkeys-lru") === true,
    });
    expect(await add(producer)).toBe("postgres");
    await own.client.config("SET", "maxmemory-policy", "noeviction");
    await until(() => producer.status(), takes("redis"));
    await own.client.config("SET", "no-appendfsync-on-rewrite", "yes");
    await until(() => producer.status(), { ...takes("postgres"), timeoutMs: CHECK_LIMIT_MS });
  }, 240_000);

  test("that does not allow its settings to be read is trusted only when the operator says so", async () => {
    const own = await startRedis();
    await own.client.acl("SETUSER", "limited", "on", ">password", "~*", "&*", "+@all", "-config");
    const url = new URL(own.url);
    [url.username, url.password] = ["limited", "password"];
    const problems = ["appendfsync cannot be read", "no-appendfsync-on-rewrite cannot be read"];

    const verifying = await openProducer({ redisUrl: url.href });
    await until(() => verifying.producer.status(), {
      accept: ({ redis }) => redis?.problems.includes("appendfsync cannot be read") === true,
    });
    await expect
      .poll(() => verifying.producer.status(), { timeout: 40_000 })
      .toMatchObject({
        takes: "postgres",
        redis: { takesJobs: false, isWell: false, durable: false, problems },
      });
    expect(await add(verifying.producer)).toBe("postgres");

    const assuming = await openProducer({ redisUrl: url.href, durability: "assume" });
    await until(() => assuming.producer.status(), takes("redis"));
    await expect
      .poll(() => assuming.producer.status(), { timeout: 40_000 })
      .toMatchObject({
        takes: "redis",
        redis: { takesJobs: true, isWell: true, durable: false, problems },
      });
    await addToRedis(assuming.producer);
  });

  test("that refuses the password is reported with that reason, and not as away", async () => {
    const own = await startRedis();
    const url = new URL(own.url);
    [url.username, url.password] = ["nobody", "wrong"];
    const { producer } = await openProducer({ redisUrl: url.href });
    await until(() => producer.redis?.state.problems, {
      accept: (problems) => problems?.join() === "it refuses with WRONGPASS",
    });
    expect(await add(producer)).toBe("postgres");
  });

  test("that refuses writes takes no event, is not flooded by consumers, and is used again afterwards", async () => {
    const own = await startRedis();
    const database = await createTestDatabase();
    const relay = await startRelay(database, own.url);
    const receiver = await startReceiver();
    onTestFinished(async () => {
      await receiver.stop();
      await relay.stop();
      await database.drop();
    });
    await relay.createTarget(receiver);
    await until(relay.readiness, { accept: ({ body: { status } }) => status === "ready" });
    await relay.sendUntilRedisTakes();
    await receiver.waitFor(1);
    await own.client.config("RESETSTAT");
    const refusingSinceMs = performance.now();
    await own.client.config("SET", "maxmemory", "1");
    const { redis, postgres } = await relay.countIntakeJobs();
    const received = receiver.requests.length;
    await relay.sendEvent();
    await receiver.waitFor(received + 1);
    expect(await relay.countIntakeJobs()).toEqual({ redis, postgres: postgres + 1 });
    await expect
      .poll(async () => (await relay.readiness()).body.checks.redis, { timeout: 40_000 })
      .toMatchObject({ ok: false, durable: true, problems: ["it refuses with OOM"] });
    // Consumers ask a few times a second. Consumers that ask again at once would ask hundreds or thousands of times.
    const countRefusedProbes = async () =>
      Number(/^errorstat_OOM:count=(\d+)/m.exec(await own.client.info("errorstats"))?.[1] ?? 0);
    await until(async () => (await countRefusedProbes()) >= 6);
    const refused = /^errorstat_OOM:count=(\d+)/m.exec(await own.client.info("errorstats"))?.[1];
    expect(Number(refused) / ((performance.now() - refusingSinceMs) / 1000)).toBeLessThan(30);

    await own.client.config("SET", "maxmemory", "0");
    await until(relay.readiness, { accept: ({ body: { status } }) => status === "ready" });
    const last = await relay.sendUntilRedisTakes();
    await until(() => receiver.requests.some(({ headers }) => headers["webhook-id"] === last.webhookId));
  });
});
