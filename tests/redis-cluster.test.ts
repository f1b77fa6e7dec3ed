// The relay over a Redis Cluster: events are acknowledged, kept and delivered, also when the master of its keys is
// killed.

import { join } from "node:path";

import { describe, expect, inject, onTestFinished, test } from "vitest";

import type { Producer, QueueStatus } from "@sluice/queue/queue";
import { readRelayId } from "@sluice/store/connection/configuration-row";

import { createTestDatabase } from "./support/database.ts";
import { openProcessGroup } from "./support/process-group.ts";
import { openBackend } from "./support/queue.ts";
import { failOverTo, startRedisCluster, withNode } from "./support/redis-cluster.ts";
import { findRedisServer } from "./support/redis-server.ts";
import { openRelayOnRedis, openServers } from "./support/relay-on-redis.ts";
import { startRedis } from "./support/stores.ts";
import { until } from "./support/wait.ts";

const openCluster = () => openServers("cluster", startRedisCluster);

async function openRelay(redisUrl: string) {
  const { database, ...relay } = await openRelayOnRedis(redisUrl);
  return { ...relay, prefix: `{sluice:${await readRelayId(database.db)}}` };
}

async function openProducer(redisUrl: string): Promise<Producer> {
  const database = await createTestDatabase();
  const backend = await openBackend(database, redisUrl);
  const producer = backend.openProducer();
  onTestFinished(async () => {
    await producer.close();
    await backend.close();
    await database.drop();
  });
  return producer;
}

const hasProblem = (part: string) => ({
  accept: (status: QueueStatus) => status.redis?.problems.some((problem) => problem.includes(part)) === true,
});

describe.runIf(inject("queue") === "redis" && findRedisServer() !== undefined)("a Redis Cluster", () => {
  test("takes and delivers events, also while the master of the relay's keys is killed and replaced", async () => {
    const cluster = await openCluster();
    const { relay, received, prefix } = await openRelay(cluster.url);
    await until(relay.readiness, { accept: ({ body }) => body.status === "ready" });
    const sent: string[] = [(await relay.sendUntilRedisTakes()).webhookId];
    await until(received, { accept: (ids) => sent.every((id) => ids.has(id)) });

    // Without a worker, the jobs are still in Redis when the master is killed.
    await relay.stopWorker();
    for (let count = 0; count < 50; count++) sent.push((await relay.sendUntilRedisTakes()).webhookId);
    const master = await cluster.findMaster(`${prefix}:intake:wait`);
    await master.end("SIGKILL");
    for (let count = 0; count < 50; count++) sent.push((await relay.sendEvent()).webhookId);
    const worker = await relay.startWorker();
    onTestFinished(worker.stop);
    await until(received, { accept: (ids) => sent.every((id) => ids.has(id)) });
    // Redis takes events again when the new master has a replica that confirms them.
    expect((await cluster.findMaster(`${prefix}:intake:wait`)).url).not.toBe(master.url);
    await master.start();
    await until(relay.readiness, { accept: ({ body }) => body.status === "ready" });
    sent.push((await relay.sendUntilRedisTakes()).webhookId);
    await until(received, { accept: (ids) => sent.every((id) => ids.has(id)) });
  });

  test("takes no event while one of its masters would not keep it", async () => {
    const cluster = await openCluster();
    const producer = await openProducer(cluster.url);
    await until(() => producer.status(), { accept: ({ takes }) => takes === "redis" });
    for (const { url } of cluster.nodes.slice(0, 3)) {
      await withNode(url, (client) => client.config("SET", "appendfsync", "everysec"));
      const other = await openProducer(cluster.url);
      // A moment before, PostgreSQL may not have told yet of earlier replicas, which is a problem too.
      await until(() => other.status(), {
        accept: ({ takes, redis }) =>
          takes === "postgres" && redis?.durable === false && redis.problems.join() === "appendfsync is everysec",
      });
      await withNode(url, (client) => client.config("SET", "appendfsync", "always"));
    }
  });

  test("has the settings of a new master read before it takes a job", async () => {
    const cluster = await openCluster();
    const producer = await openProducer(cluster.url);
    await until(() => producer.status(), { accept: ({ takes }) => takes === "redis" });
    for (const replica of cluster.nodes.slice(3, 4)) {
      await withNode(replica.url, (client) => client.config("SET", "appendonly", "no"));
      await failOverTo(replica);
    }
    await until(() => producer.redis?.state, { accept: (state) => state?.problems.join() === "appendonly is no" });
  });

  test("whose node is given without redis+cluster is recognised and named", async () => {
    const cluster = await openCluster();
    for (const { url } of cluster.nodes) {
      const producer = await openProducer(url);
      const status = await until(() => producer.status(), hasProblem("begin REDIS_URL with redis+cluster"));
      expect(status.takes).toBe("postgres");
    }
  });

  test("that is none is named", async () => {
    const group = openProcessGroup();
    const single = await startRedis(join(group.directory, "redis"), group);
    onTestFinished(async () => {
      await single.end("SIGKILL");
      group.remove();
    });
    const producer = await openProducer(single.url.replace("redis:", "redis+cluster:"));
    await until(() => producer.status(), hasProblem("it is not a cluster; begin REDIS_URL with redis"));
  });
});
