// BullMQ on Redis. The producer fails fast, because a sender waits for it; the consumer waits for Redis for as
// long as it takes.

import { Redis, type RedisOptions } from "ioredis";

import type { Logger } from "@sluice/shared/runtime/log";
import { consumeBullmq } from "./bullmq-consumer.ts";
import { addBullmqJob, BullmqQueues, countJobs, retryFailedJobs } from "./bullmq.ts";
import { connectionLog } from "./connection-log.ts";
import type { Producer, QueueBackend, RedisDurability } from "./queue.ts";
import { RedisGuard } from "./redis-guard.ts";
import { openSetAside } from "./set-aside.ts";

/** An fsync takes milliseconds; a Redis that needs longer than this is as good as away. */
const COMMAND_TIMEOUT_MS = 2_000;
const MAX_RECONNECT_DELAY_MS = 1_000;
/**
 * A connection that is silent for so long while an answer is due is made anew: its other end may be gone without a
 * word. A consumer's is silent for 10 s while it waits for jobs.
 */
const PRODUCER_SILENCE_MS = 5_000;
const CONSUMER_SILENCE_MS = 20_000;

/** Never gives up: an outage may take hours. */
const reconnect = (times: number) => Math.min(2 ** times * 25, MAX_RECONNECT_DELAY_MS);

export interface RedisProducer extends Pick<Producer, "add" | "retryFailed" | "setAside" | "depth" | "close"> {
  readonly guard: RedisGuard;
}

export interface RedisStore extends Pick<QueueBackend, "consume" | "close"> {
  openProducer(): RedisProducer;
}

export function openRedisStore(url: string, durability: RedisDurability, log: Logger): RedisStore {
  const open: Redis[] = [];
  const connect = (
    options: Pick<RedisOptions, "maxRetriesPerRequest" | "enableOfflineQueue" | "commandTimeout" | "socketTimeout">,
  ): Redis => {
    const client = new Redis(url, { ...options, retryStrategy: reconnect, connectTimeout: COMMAND_TIMEOUT_MS });
    client.on("error", connectionLog(log, {}, "redis connection"));
    open.push(client);
    return client;
  };
  return {
    openProducer: () => {
      const client = connect({
        maxRetriesPerRequest: 0,
        enableOfflineQueue: false,
        commandTimeout: COMMAND_TIMEOUT_MS,
        socketTimeout: PRODUCER_SILENCE_MS,
      });
      return openRedisProducer(client, new RedisGuard(client, durability, log), log);
    },
    consume: (name, concurrency, handler) => {
      const redis = connect({ maxRetriesPerRequest: null, socketTimeout: CONSUMER_SILENCE_MS });
      // BullMQ waits for jobs on a second connection. When Redis is away it forgets it, and it connects for ever.
      const duplicate = redis.duplicate.bind(redis);
      redis.duplicate = (changes) => {
        const second = duplicate(changes);
        open.push(second);
        return second;
      };
      return consumeBullmq(name, concurrency, handler, { redis }, () => redis.disconnect(), log);
    },
    close: async () => {
      for (const client of open) client.disconnect();
    },
  };
}

function openRedisProducer(client: Redis, guard: RedisGuard, log: Logger): RedisProducer {
  const queues = new BullmqQueues({ redis: client }, log);
  return {
    add: async (name, data, options = {}) => {
      await addBullmqJob(queues, name, data, options, COMMAND_TIMEOUT_MS);
      return "redis";
    },
    retryFailed: (name) => retryFailedJobs(queues, name),
    setAside: [openSetAside({ redis: client }, queues)],
    depth: async (name) => ({ redis: await countJobs(queues, name) }),
    guard,
    close: async () => {
      guard.close();
      await queues.close();
      client.disconnect();
    },
  };
}
