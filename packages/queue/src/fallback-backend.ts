// The queue on two stores: jobs go to Redis, and to PostgreSQL when Redis does not confirm them in time. Both stores
// are consumed at all times. A job may be in both: the ledger of events and the claim of a delivery let it count once.

import { within } from "@sluice/shared/runtime/within";

import type { JobData, JobName } from "./jobs.ts";
import { openPostgresBackend, type QueuePostgres } from "./postgres-backend.ts";
import type { AddOptions, Producer, QueueBackend, QueueStatus, StoreName } from "./queue.ts";
import { REDIS_BUDGET_MS } from "./redis-guard.ts";
import { openRedisStore, type RedisProducer, type RedisStoreOptions } from "./redis-store.ts";

/** This limit and twice the budget of Redis are together below the gateway's deadline. */
const POSTGRES_LIMIT_MS = 3_000;

export interface FallbackOptions extends RedisStoreOptions {
  postgres: QueuePostgres;
}

export function openFallbackBackend(options: FallbackOptions): QueueBackend {
  const { log } = options;
  const redis = openRedisStore(options);
  const postgres = openPostgresBackend(options.postgres, log, POSTGRES_LIMIT_MS);
  return {
    kind: "redis",
    openProducer: () => {
      const producer = postgres.openProducer();
      return openFallbackProducer(
        redis.openProducer((name, seen) => producer.noteReplicas(name, seen)),
        producer,
      );
    },
    consume: (name, concurrency, handler) => {
      const consumers = [redis, postgres].map((store) => store.consume(name, concurrency, handler));
      return {
        problems: () => consumers.flatMap((consumer) => consumer.problems()),
        setConcurrency: (jobs) => {
          for (const consumer of consumers) consumer.setConcurrency(jobs);
        },
        close: async () => void (await Promise.all(consumers.map((consumer) => consumer.close()))),
      };
    },
    moveOldJobs: redis.moveOldJobs,
    close: async () => void (await Promise.all([redis.close(), postgres.close()])),
  };
}

function openFallbackProducer(redis: RedisProducer, postgres: Producer): Producer {
  const { guard } = redis;
  const add = async <N extends JobName>(name: N, data: JobData[N], options?: AddOptions): Promise<StoreName> => {
    const { period } = guard;
    let attempt: Promise<StoreName> | undefined;
    if (guard.takesJobs) {
      attempt = redis.add(name, data, options);
      try {
        const store = await within(REDIS_BUDGET_MS, attempt);
        if (store !== undefined) return store;
        guard.recordFailure(period, new Error("no answer"));
      } catch (error) {
        guard.recordFailure(period, error);
      }
    }
    try {
      return await postgres.add(name, data, options);
    } catch (error) {
      // Both stores are in trouble. Failure policy: closed, unless Redis keeps what it confirms and was only slow. Such
      // a Redis may still confirm the job, or take it now, before a probe has found that Redis is well again.
      if (!guard.keepsConfirmedJobs) throw error;
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
    const [state, { takes, postgresProblem }] = await Promise.all([guard.check(), postgres.status()]);
    return { takes: state.takesJobs ? "redis" : takes, postgresProblem, redis: state };
  };
  return {
    add,
    retryFailed: async (name) => {
      // A store that is away must not keep the other from retrying, so both calls run to their end.
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
