// BullMQ on Redis. The producer fails fast, because a sender waits for it. The consumer waits for Redis without end.

import { Redis, type RedisOptions } from "ioredis";

import type { Logger } from "@sluice/shared/runtime/log";

import { consumeBullmq } from "./bullmq-consumer.ts";
import { addBullmqJob, BullmqQueues, countJobs, retryFailedJobs } from "./bullmq-queues.ts";
import { connectionLog } from "./connection-log.ts";
import { addProbeJob } from "./probe-job.ts";
import type { Producer, QueueBackend, RedisDurability, RedisReplicaRule } from "./queue.ts";
import { RedisGuard } from "./redis-guard.ts";
import { paceReconnects } from "./redis-reconnect.ts";
import { nameRedis, RedisReplicas } from "./redis-replicas.ts";
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

/** A Redis whose disk is full refuses a job of any size. */
const PROBE_BYTES = 100;

/** Reconnecting never ends, because an outage may take hours. */
const reconnectDelayMs = (times: number) => Math.min(2 ** times * 25, MAX_RECONNECT_DELAY_MS);

export interface RedisProducer extends Pick<Producer, "add" | "retryFailed" | "setAside" | "depth" | "close"> {
  readonly guard: RedisGuard;
}

export interface RedisStore extends Pick<QueueBackend, "consume" | "close"> {
  openProducer(noteReplicas: NoteReplicas): RedisProducer;
}

/**
 * Notes how many replicas a Redis has, and returns the most of the last 24 hours.
 * @param redis names the Redis.
 * @throws Error while that memory is away.
 */
export type NoteReplicas = (redis: string, seen: number) => Promise<number>;

export interface RedisStoreOptions {
  url: string;
  durability: RedisDurability;
  replicas: RedisReplicaRule;
  log: Logger;
}

export function openRedisStore({ url, durability, replicas: rule, log }: RedisStoreOptions): RedisStore {
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
    openProducer: (noteReplicas) => {
      const client = connect({
        maxRetriesPerRequest: 0,
        enableOfflineQueue: false,
        commandTimeout: COMMAND_TIMEOUT_MS,
        socketTimeout: PRODUCER_SILENCE_MS,
      });
      const replicas = new RedisReplicas({
        findNode: () => client,
        rule,
        remember: (seen) => noteReplicas(nameRedis(url), seen),
        // An operator who vouches for Redis may have one that writes no append-only file.
        wantsDisk: durability === "verify",
      });
      return openRedisProducer(client, { durability, replicas, log });
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

interface RedisProducerOptions {
  durability: RedisDurability;
  replicas: RedisReplicas;
  log: Logger;
}

function openRedisProducer(client: Redis, { durability, replicas, log }: RedisProducerOptions): RedisProducer {
  const connection = { store: "redis", redis: client } as const;
  const queues = new BullmqQueues(connection, log);
  const probe = () => addProbeJob(queues, { bytes: PROBE_BYTES, confirm: replicas.prepareWait() });
  const guard = new RedisGuard({ redis: client, durability, replicas, probe, log });
  return {
    add: async (name, data, options = {}) => {
      // A wake-up is a hint, which the sweep repeats. Events MUST be where a failover cannot lose them.
      const confirm = name === "intake" ? replicas.prepareWait() : undefined;
      await addBullmqJob(queues, name, data, options, COMMAND_TIMEOUT_MS, confirm);
      if (name === "intake") guard.recordSuccess();
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
