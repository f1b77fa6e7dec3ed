// BullMQ on PostgreSQL: the queue of a relay without Redis, and the fallback while Redis is away. The migrations make
// BullMQ's tables, in the schema `bullmq`.

import type { PgPool } from "bullmq";
import type pg from "pg";

import type { Logger } from "@sluice/shared/runtime/log";
import { closerOf, surviveLostConnections } from "@sluice/store/connection/database";
import { openPool, openSessionPool } from "@sluice/store/connection/open-pool";
import type { PostgresServer } from "@sluice/store/connection/postgres-server";
import { noteRedisReplicas } from "@sluice/store/connection/redis-replicas";

import { consumeBullmq } from "./bullmq-consumer.ts";
import { addBullmqJob, BullmqQueues, countJobs, retryFailedJobs } from "./bullmq-queues.ts";
import { connectionLog } from "./connection-log.ts";
import { addProbeJob } from "./probe-job.ts";
import type { Producer, QueueBackend } from "./queue.ts";
import { openSetAside } from "./set-aside.ts";
import { StoreTrial } from "./store-trial.ts";

/** BullMQ names its tables without a schema. */
const BULLMQ_SETTINGS = { search_path: "bullmq" };
/** The tables lie in the relay's own database, so that their keys need no identity. */
const PREFIX = "sluice";
/** Short, because a sender waits while a producer adds its job. */
const PRODUCER_TIMEOUT_MS = 5_000;
const CONSUMER_TIMEOUT_MS = 60_000;
/** Below the limit of a check of /readyz. */
const STATUS_LIMIT_MS = 1_500;
/** So large that each second probe needs a new page: a disk without room for one is noticed. */
const PROBE_BYTES = 4 * 1024;

export interface PostgresProducer extends Producer {
  /**
   * Notes how many replicas a Redis has, and returns the most of the last 24 hours.
   * @throws Error when PostgreSQL is away.
   */
  noteReplicas(redis: string, seen: number): Promise<number>;
}

export interface PostgresBackend extends QueueBackend {
  openProducer(): PostgresProducer;
}

export interface QueuePostgres {
  server: PostgresServer;
  /** The most connections of all producers. */
  producerConnections?: number;
  /** The most connections of all consumers. Each consumer needs one for itself, on which it LISTENs. */
  consumerConnections?: number;
}

/** @param addLimitMs the time limit for adding one job. */
export function openPostgresBackend(
  { server, producerConnections = 4, consumerConnections = 8 }: QueuePostgres,
  log: Logger,
  addLimitMs = PRODUCER_TIMEOUT_MS,
): PostgresBackend {
  const closers: (() => Promise<void>)[] = [];
  const connect = (role: string, maxConnections: number, answerLimitMs: number, open: typeof openPool) => {
    const pool: pg.Pool = open(server, {
      applicationName: `sluice-queue-${role}`,
      maxConnections,
      answerLimitMs,
      connectTimeoutMs: Math.min(answerLimitMs, PRODUCER_TIMEOUT_MS),
      settings: BULLMQ_SETTINGS,
    });
    pool.on("error", connectionLog(log, { role }, "queue connection"));
    surviveLostConnections(pool);
    let closing: Promise<void> | undefined;
    const end = closerOf(pool);
    const close = () => (closing ??= end());
    closers.push(close);
    // pg's pool has everything that BullMQ's type demands; only its overloads of `on` are declared in another way.
    return { pool: pool as unknown as PgPool, close };
  };
  const connectProducers = () => connect("producer", producerConnections, addLimitMs, openPool);
  let producers: ReturnType<typeof connect> | undefined;
  let consumers: ReturnType<typeof connect> | undefined;
  return {
    kind: "postgres",
    openProducer: () => openPostgresProducer((producers ??= connectProducers()).pool, addLimitMs, log),
    consume: (name, concurrency, handler) => {
      // A consumer LISTENs, which a transaction pooler does not pass on.
      consumers ??= connect("consumer", consumerConnections, CONSUMER_TIMEOUT_MS, openSessionPool);
      const { pool, close } = consumers;
      const connection = { store: "postgres", pool, prefix: PREFIX } as const;
      return consumeBullmq(name, concurrency, handler, connection, () => void close(), log);
    },
    moveOldJobs: () => ({ close: async () => undefined }),
    close: async () => {
      await Promise.all(closers.map((close) => close()));
    },
  };
}

function openPostgresProducer(pool: PgPool, addLimitMs: number, log: Logger): PostgresProducer {
  const connection = { store: "postgres", pool, prefix: PREFIX } as const;
  const queues = new BullmqQueues(connection, log);
  const trial = new StoreTrial((bytes) => addProbeJob(queues, { bytes }), PROBE_BYTES, STATUS_LIMIT_MS);
  return {
    add: async (name, data, options = {}) => {
      try {
        await addBullmqJob(queues, name, data, options, addLimitMs);
        trial.recordTaken();
      } catch (error) {
        trial.recordRefused(JSON.stringify(data).length);
        throw error;
      }
      return "postgres";
    },
    retryFailed: (name) => retryFailedJobs(queues, name),
    setAside: [openSetAside(connection, queues)],
    depth: async (name) => ({ postgres: await countJobs(queues, name) }),
    status: async () => {
      const postgresProblem = await trial.findProblem();
      return { takes: postgresProblem === undefined ? "postgres" : undefined, postgresProblem };
    },
    noteReplicas: (redis, seen) => noteRedisReplicas(pool as unknown as pg.Pool, redis, seen),
    close: () => queues.close(),
  };
}
