// The queue on two stores: Redis takes the jobs, and PostgreSQL those that Redis does not confirm in time. Both are
// consumed at all times. A job may be in both: an event's ledger and a delivery's claim let it count once.

import type { Logger } from "@sluice/shared/runtime/log";
import { within } from "@sluice/shared/runtime/within";
import type { JobData, JobName } from "./jobs.ts";
import { openPostgresBackend } from "./postgres.ts";
import type { AddOptions, Producer, QueueBackend, QueueStatus, RedisDurability, StoreName } from "./queue.ts";
import { REDIS_BUDGET_MS } from "./redis-guard.ts";
import { openRedisStore, type RedisProducer } from "./redis.ts";

/** Together with twice the budget of Redis, below the gateway's deadline. */
const POSTGRES_LIMIT_MS = 3_000;

export interface FallbackOptions {
  databaseUrl: string;
  redisUrl: string;
  durability: RedisDurability;
  log: Logger;
}

export function openFallbackBackend({ databaseUrl, redisUrl, durability, log }: FallbackOptions): QueueBackend {
  const redis = openRedisStore(redisUrl, durability, log);
  const postgres = openPostgresBackend(databaseUrl, log, POSTGRES_LIMIT_MS);
  return {
    kind: "redis",
    openProducer: () => openFallbackProducer(redis.openProducer(), postgres.openProducer()),
    consume: (name, concurrency, handler) => {
      const consumers = [redis, postgres].map((store) => store.consume(name, concurrency, handler));
      return { close: async () => void (await Promise.all(consumers.map((consumer) => consumer.close()))) };
    },
    close: async () => void (await Promise.all([redis.close(), postgres.close()])),
  };
}

function openFallbackProducer(redis: RedisProducer, postgres: Producer): Producer {
  const { guard } = redis;
  const add = async <N extends JobName>(name: N, data: JobData[N], options?: AddOptions): Promise<StoreName> => {
    const { period } = guard;
    let attempt: Promise<StoreName> | undefined;
    if (!guard.isOpen) {
      attempt = redis.add(name, data, options);
      try {
        const store = await within(REDIS_BUDGET_MS, attempt);
        if (store !== undefined) return store;
        guard.failed(period, new Error("no answer"));
      } catch (error) {
        guard.failed(period, error);
      }
    }
    try {
      return await postgres.add(name, data, options);
    } catch (error) {
      // Both are in trouble. Failure policy: closed, unless the Redis that is trusted was only slow: it may confirm the
      // job yet, or take it now, before a probe has found that it is well again.
      if (!guard.isTrusted) throw error;
      const late = attempt ?? redis.add(name, data, options);
      const store = await within(
        REDIS_BUDGET_MS,
        late.catch(() => undefined),
      );
      if (store === undefined) throw error;
      return store;
    }
  };
  const status = async (): Promise<QueueStatus> => {
    const state = await guard.check();
    return { takes: state.takesJobs ? "redis" : (await postgres.status()).takes, redis: state };
  };
  return {
    add,
    retryFailed: async (name) => {
      // Each by itself: one that is away is asked for as long as that takes.
      const results = await Promise.allSettled([redis.retryFailed(name), postgres.retryFailed(name)]);
      for (const result of results) if (result.status === "rejected") throw result.reason;
    },
    setAside: [...redis.setAside, ...postgres.setAside],
    depth: async (name) => Object.assign({}, ...(await Promise.all([redis.depth(name), postgres.depth(name)]))),
    status,
    redis: guard,
    close: async () => void (await Promise.all([redis.close(), postgres.close()])),
  };
}
