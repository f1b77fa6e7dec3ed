// A test's own stores, each with a way to it that can be cut or frozen.

import { onTestFinished } from "vitest";

import { createTestDatabase, type TestDatabase } from "./database.ts";
import { type Proxy, startProxy } from "./proxy.ts";
import type { TestRedis } from "./redis.ts";
import { createQueueRedis, type Relay, type RelayOptions, startRelay } from "./relay.ts";

export interface ProxiedStores {
  database: TestDatabase;
  /** Where this project's queues are on Redis. */
  redis: TestRedis | undefined;
  proxies: { postgres: Proxy; redis: Proxy | undefined };
  /** Through the proxies. The caller stops it. */
  startRelay: (options?: RelayOptions) => Promise<Relay>;
}

/** They go when the test has finished, after what it started later. */
export async function openProxiedStores(): Promise<ProxiedStores> {
  const database = await createTestDatabase();
  const redis = await createQueueRedis();
  const proxies = {
    postgres: await startProxy(database.url, 5432),
    redis: redis && (await startProxy(redis.url, 6379)),
  };
  onTestFinished(async () => {
    await proxies.postgres.cut();
    await proxies.redis?.cut();
    await redis?.drop();
    await database.drop();
  });
  return {
    database,
    redis,
    proxies,
    startRelay: (options) =>
      startRelay(database, redis?.url, {
        databaseUrl: proxies.postgres.url,
        ...(proxies.redis && { redisUrl: proxies.redis.url }),
        ...options,
      }),
  };
}
