// BullMQ on Redis. The producer fails fast, because a sender waits for it. The consumer waits for Redis without end.

import { Redis, type RedisOptions } from "ioredis";

import type { Logger } from "@sluice/shared/runtime/log";

import { consumeBullmq } from "./bullmq-consumer.ts";
import { addBullmqJob, BullmqQueues, countJobs, retryFailedJobs } from "./bullmq-queues.ts";
import { connectionLog } from "./connection-log.ts";
import type { Producer, QueueBackend, RedisDurability } from "./queue.ts";
import { RedisGuard } from "./redis-guard.ts";
import { paceReconnects } from "./redis-reconnect.ts";
import { openSetAside } from "./set-aside.ts";

/** An fsync takes milliseconds, so a Redis that needs longer than this counts as away. */
const COMMAND_TIMEOUT_MS = 2_000;
const MAX_RECONNECT_DELAY_MS = 1_000;
/**
 * A connection that stays silent for so long while an answer is due is replaced: its other end may be gone without a
 * word. The connection of a consumer is silent for up to 10 s while the consumer waits for jobs.
 */
const PRODUCER_SILENCE_MS = 5_000;
const CONSUMER_SILENCE_MS = 20_000;

/** Reconnecting never ends, because an outage may take hours. */
const reconnectDelayMs = (times: number) => Math.min(2 ** times * 25, MAX_RECONNECT_DELAY_MS);

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
    const client = new Redis(url, {
      ...options,
      retryStrategy: reconnectDelayMs,
      reconnectOnError: paceReconnects(),
      connectTimeout: COMMAND_TIMEOUT_MS,
    });
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
      // BullMQ uses two more connections: one for its scripts, and one on which it waits for jobs. When Redis is away,
      // BullMQ forgets them, and they try to connect for ever. So the store keeps them too, and disconnects them when
      // it closes.
      const duplicate = redis.duplicate.bind(redis);
      redis.duplicate = (changes) => {
        // Each connection has a pace of its own: the reconnect of one says nothing about where another leads.
        const second = duplicate({ ...changes, reconnectOnError: paceReconnects() });
        open.push(second);
        return second;
      };
      return consumeBullmq(name, concurrency, handler, { store: "redis", redis }, () => redis.disconnect(), log);
    },
    close: async () => {
      for (const client of open) client.disconnect();
    },
  };
}

function openRedisProducer(client: Redis, guard: RedisGuard, log: Logger): RedisProducer {
  const connection = { store: "redis", redis: client } as const;
  const queues = new BullmqQueues(connection, log);
  return {
    add: async (name, data, options = {}) => {
      await addBullmqJob(queues, name, data, options, COMMAND_TIMEOUT_MS);
      return "redis";
    },
    retryFailed: (name) => retryFailedJobs(queues, name),
    setAside: [openSetAside(connection, queues)],
    depth: async (name) => ({ redis: await countJobs(queues, name) }),
    guard,
    close: async () => {
      guard.close();
      await queues.close();
      client.disconnect();
    },
  };
}
