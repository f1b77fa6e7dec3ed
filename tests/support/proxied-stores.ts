// The stores of one test, each behind a proxy that the test can cut or freeze.

import { onTestFinished } from "vitest";

import { createTestDatabase, type TestDatabase } from "./database.ts";
import { type Proxy, startProxy } from "./proxy.ts";
import type { TestRedis } from "./redis.ts";
import { createQueueRedis, type Relay, type RelayOptions, startRelay } from "./relay.ts";

export interface ProxiedStores {
  database: TestDatabase;
  /** Undefined when the queues of this vitest project are on PostgreSQL. */
  redis: TestRedis | undefined;
  proxies: { postgres: Proxy; redis: Proxy | undefined };
  /** Starts a relay that reaches the stores through the proxies. The caller stops it. */
  startRelay: (options?: RelayOptions) => Promise<Relay>;
}

/** The stores are removed when the test has finished, after everything that the test started later. */
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
