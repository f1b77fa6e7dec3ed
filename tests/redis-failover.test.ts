// A failover of Redis loses no acknowledged event, and nobody has to restart a process after it.

import { describe, expect, inject, onTestFinished, test } from "vitest";

import { createTestDatabase } from "./support/database.ts";
import { startProxy } from "./support/proxy.ts";
import { startReceiver } from "./support/receiver.ts";
import { findRedisServer } from "./support/redis-server.ts";
import { startRelay } from "./support/relay.ts";
import { countOnline, follow, promote, startReplicatedRedis } from "./support/replicated-redis.ts";
import { until } from "./support/wait.ts";

describe.runIf(inject("queue") === "redis" && findRedisServer() !== undefined)("Redis", () => {
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
    const worker = async () => (await fetch(`${relay.workerUrl}/readyz`)).json();
    await until(worker, { accept: ({ status }) => status === "ready" });
  });
});
