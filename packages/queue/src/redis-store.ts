// BullMQ on Redis. The producer fails fast, because a sender waits for it. The consumer waits for Redis without end.

import { Cluster } from "ioredis";

import type { Logger } from "@sluice/shared/runtime/log";

import { consumeBullmq } from "./bullmq-consumer.ts";
import { addBullmqJob, BullmqQueues, countJobs, retryFailedJobs } from "./bullmq-queues.ts";
import { connectionLog } from "./connection-log.ts";
import { moveOldJobs } from "./old-jobs.ts";
import { addProbeJob } from "./probe-job.ts";
import type { Producer, QueueBackend, RedisDurability, RedisReplicaRule } from "./queue.ts";
import {
  type ClientPatience,
  findMaster,
  onDuplicate,
  openRedisClient,
  type RedisClient,
  type RedisServers,
} from "./redis-client.ts";
import { RedisGuard } from "./redis-guard.ts";
import { nameRedis, RedisReplicas } from "./redis-replicas.ts";
import { redisPrefix, type RelayIdentity } from "./relay-identity.ts";
import { openSetAside } from "./set-aside.ts";

/** An fsync takes milliseconds, so a Redis that needs longer than this counts as away. */
const COMMAND_TIMEOUT_MS = 2_000;
/**
 * A connection that stays silent for so long while an answer is due is replaced: its other end may be gone without a
 * word. The connection of a consumer is silent for up to 10 s while the consumer waits for jobs.
 */
const PRODUCER_SILENCE_MS = 5_000;
const CONSUMER_SILENCE_MS = 20_000;

/** A Redis whose disk is full refuses a job of any size. */
const PROBE_BYTES = 100;

export interface RedisProducer extends Pick<Producer, "add" | "retryFailed" | "setAside" | "depth" | "close"> {
  readonly guard: RedisGuard;
}

export interface RedisStore extends Pick<QueueBackend, "consume" | "moveOldJobs" | "close"> {
  openProducer(noteReplicas: NoteReplicas): RedisProducer;
}

/**
 * Notes how many replicas a Redis has, and returns the most of the last 24 hours.
 * @param redis names the Redis.
 * @throws Error while that memory is away.
 */
export type NoteReplicas = (redis: string, seen: number) => Promise<number>;

export interface RedisStoreOptions {
  redis: RedisServers;
  /** May be settled later. */
  identity: RelayIdentity;
  durability: RedisDurability;
  replicas: RedisReplicaRule;
  log: Logger;
}

export function openRedisStore(options: RedisStoreOptions): RedisStore {
  const { redis: servers, identity, log } = options;
  const open: RedisClient[] = [];
  const prefix = identity.known.then(redisPrefix);
  const connect = (patience: ClientPatience): RedisClient => {
    const client = openRedisClient(servers, patience);
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
      return openRedisProducer(client, prefix, noteReplicas, options);
    },
    consume: (name, concurrency, handler) => {
      const redis = connect({ maxRetriesPerRequest: null, socketTimeout: CONSUMER_SILENCE_MS });
      // BullMQ uses two more connections: one for its scripts, and one on which it waits for jobs. When Redis is away,
      // BullMQ forgets them, and they try to connect for ever. So the store keeps them too, and disconnects them when
      // it closes.
      onDuplicate(redis, (second) => open.push(second));
      const connection = { store: "redis", redis, prefix } as const;
      return consumeBullmq(name, concurrency, handler, connection, () => redis.disconnect(), log);
    },
    moveOldJobs: (producer, findOwn) => {
      // The older version did not work on a cluster, so it left no jobs there.
      if (servers.address.kind === "cluster") return { close: async () => undefined };
      const redis = connect({
        maxRetriesPerRequest: null,
        commandTimeout: COMMAND_TIMEOUT_MS,
        socketTimeout: PRODUCER_SILENCE_MS,
      });
      if (redis instanceof Cluster) throw new Error("A cluster has no old jobs");
      return moveOldJobs({ redis, prefix, producer, findOwn, log });
    },
    close: async () => {
      for (const client of open) client.disconnect();
    },
  };
}

function openRedisProducer(
  client: RedisClient,
  prefix: Promise<string>,
  noteReplicas: NoteReplicas,
  { redis, identity, durability, replicas: rule, log }: RedisStoreOptions,
): RedisProducer {
  const connection = { store: "redis", redis: client, prefix } as const;
  const replicas = new RedisReplicas({
    findNode: () => (identity.id === undefined ? undefined : findMaster(client, redisPrefix(identity.id))),
    rule,
    remember: (seen) => noteReplicas(nameRedis(redis.address), seen),
    // An operator who vouches for Redis may have one that writes no append-only file.
    wantsDisk: durability === "verify",
  });
  const queues = new BullmqQueues(connection, log);
  const probe = () => addProbeJob(queues, { bytes: PROBE_BYTES, confirm: replicas.prepareWait() });
  const guard = new RedisGuard({ redis: client, identity, durability, replicas, probe, log });
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
