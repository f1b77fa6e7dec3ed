// BullMQ on Redis. The producer fails fast, because a sender waits for it; the consumer waits for Redis for as
// long as it takes.

import { Redis, type RedisOptions } from "ioredis";

import type { Logger } from "../log.ts";
import { addBullmqJob, BullmqQueues, consumeBullmq, retryFailedJobs } from "./bullmq.ts";
import type { Producer, QueueBackend } from "./queue.ts";

/** An fsync takes milliseconds; a Redis that needs longer than this is as good as away. */
const COMMAND_TIMEOUT_MS = 2_000;
const MAX_RECONNECT_DELAY_MS = 1_000;

const reconnect = (times: number) => Math.min(2 ** times * 25, MAX_RECONNECT_DELAY_MS);

export function openRedisBackend(url: string, log: Logger): QueueBackend {
  const open: Redis[] = [];
  const connect = (
    options: Pick<RedisOptions, "maxRetriesPerRequest" | "enableOfflineQueue" | "commandTimeout">,
  ): Redis => {
    const client = new Redis(url, { ...options, retryStrategy: reconnect, connectTimeout: COMMAND_TIMEOUT_MS });
    client.on("error", (error) => log.warn({ err: error }, "redis connection"));
    open.push(client);
    return client;
  };
  return {
    kind: "redis",
    openProducer: () =>
      openProducer(
        connect({ maxRetriesPerRequest: 0, enableOfflineQueue: false, commandTimeout: COMMAND_TIMEOUT_MS }),
        log,
      ),
    consume: (name, concurrency, handler) => {
      const redis = connect({ maxRetriesPerRequest: null });
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

function openProducer(client: Redis, log: Logger): Producer {
  const queues = new BullmqQueues({ redis: client }, log);
  return {
    add: (name, data, options = {}) => addBullmqJob(queues, name, data, options, COMMAND_TIMEOUT_MS),
    retryFailed: (name) => retryFailedJobs(queues, name),
    isReady: () =>
      client.ping().then(
        () => true,
        () => false,
      ),
    close: async () => {
      await queues.close();
      client.disconnect();
    },
  };
}
