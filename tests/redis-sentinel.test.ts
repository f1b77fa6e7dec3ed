// The relay over a Redis that Sentinels watch: it finds the master by them, and follows each failover.

import { describe, inject, test } from "vitest";

import { type SentinelOptions, startRedisUnderSentinel } from "./support/redis-sentinel.ts";
import { findRedisServer } from "./support/redis-server.ts";
import { openRelayOnRedis, openServers } from "./support/relay-on-redis.ts";
import { until } from "./support/wait.ts";

const openSentinels = (options: SentinelOptions = {}) =>
  openServers("sentinel", (directory, group) => startRedisUnderSentinel(directory, group, options));

async function openRelay(redisUrl: string) {
  const { relay, received } = await openRelayOnRedis(redisUrl);
  const sent: string[] = [];
  return {
    relay,
    /** Sends events until Redis has taken one, and waits until all events that were sent before are delivered. */
    deliverByRedis: async () => {
      sent.push((await relay.sendUntilRedisTakes()).webhookId);
      await until(received, { accept: (ids) => sent.every((id) => ids.has(id)) });
    },
    send: async () => void sent.push((await relay.sendEvent()).webhookId),
  };
}

describe.runIf(inject("queue") === "redis" && findRedisServer() !== undefined)("a Redis under Sentinels", () => {
  test("takes and delivers events, before and after a planned failover, and after its master was killed", async () => {
    const redis = await openSentinels();
    const { relay, deliverByRedis, send } = await openRelay(redis.url);
    await until(relay.readiness, { accept: ({ body }) => body.status === "ready" });
    await deliverByRedis();

    const first = await redis.findMaster();
    await redis.beginFailover();
    const second = await until(redis.findMaster, { accept: ({ url }) => url !== first.url });
    for (let count = 0; count < 10; count++) await send();
    await deliverByRedis();

    await redis.waitUntilWell();
    await second.end("SIGKILL");
    for (let count = 0; count < 10; count++) await send();
    await until(redis.findMaster, { accept: ({ url }) => url !== second.url });
    // Redis takes events again when the new master has a replica that confirms them.
    await second.start();
    await deliverByRedis();
    await until(relay.readiness, { accept: ({ body }) => body.status === "ready" });
  });

  test("and its sentinels may have different passwords", async () => {
    const redis = await openSentinels({ password: "of the server", sentinelPassword: "of/the?sentinel&" });
    const { deliverByRedis } = await openRelay(redis.url);
    await deliverByRedis();
  });
});
