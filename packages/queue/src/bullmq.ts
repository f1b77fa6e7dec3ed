// BullMQ's queues behind a producer, the same for both stores: a store gives a connection and a backend.

import { createPostgresBackend, type Job, type PgPool, Queue } from "bullmq";
import type { Redis } from "ioredis";

import { SluiceError } from "@sluice/shared/runtime/errors";
import type { Logger } from "@sluice/shared/runtime/log";
import { settlesWithin, within } from "@sluice/shared/runtime/within";
import { connectionLog } from "./connection-log.ts";
import { type JobData, type JobName, MAX_STARTS, RESTART_DELAY_MS } from "./jobs.ts";
import type { AddOptions } from "./queue.ts";

/** Of the keys in Redis. */
export const PREFIX = "sluice";

/** BullMQ's stream of its own events is not read by anyone. */
const EVENT_STREAM_LENGTH = 100;
const RETRY_AFTER_SECONDS = 5;
const CLOSE_LIMIT_MS = 500;
const COUNT_LIMIT_MS = 500;

/** A connection of either store. */
export type StoreConnection = { redis: Redis } | { postgres: PgPool };

export type BullmqQueue = Pick<
  Queue,
  "add" | "close" | "retryJobs" | "remove" | "getFailedCount" | "getJobCountByTypes"
> &
  ConstructorParameters<typeof Job>[0];

/** The queues of one producer, each opened when it is first used. */
export class BullmqQueues {
  readonly #connection: StoreConnection;
  readonly #log: Logger;
  readonly #queues = new Map<JobName, Promise<BullmqQueue>>();

  constructor(connection: StoreConnection, log: Logger) {
    this.#connection = connection;
    this.#log = log;
  }

  async get(name: JobName): Promise<BullmqQueue> {
    const known = this.#queues.get(name);
    if (known !== undefined) return known;
    // BullMQ asks its store once whether it is ready, and a Queue whose question failed stays unusable: only
    // one that is ready is kept.
    const opening = openQueue(name, this.#connection, this.#log);
    this.#queues.set(name, opening);
    opening.catch(() => this.#queues.delete(name));
    return opening;
  }

  async close(): Promise<void> {
    const closed = Promise.allSettled([...this.#queues.values()].map(async (queue) => (await queue).close()));
    // One that is still being opened has nothing to lose: its connection is closed next.
    await settlesWithin(CLOSE_LIMIT_MS, closed);
  }
}

/**
 * To be asked before BullMQ is: it leaves a listener on a pool each time, also when PostgreSQL is away. @throws Error
 * when it is.
 */
export async function reachStore(connection: StoreConnection): Promise<void> {
  if ("postgres" in connection) await connection.postgres.query("SELECT");
}

async function openQueue(name: JobName, connection: StoreConnection, log: Logger): Promise<BullmqQueue> {
  await reachStore(connection);
  const options = { prefix: PREFIX, streams: { events: { maxLen: EVENT_STREAM_LENGTH } } };
  const queue =
    "redis" in connection
      ? new Queue(name, { ...options, connection: connection.redis })
      : new Queue(name, { ...options, connection: connection.postgres }, createPostgresBackend);
  queue.on("error", connectionLog(log, { queue: name }, "queue connection"));
  try {
    await queue.waitUntilReady();
  } catch (error) {
    await queue.close().catch(() => undefined);
    throw error;
  }
  return queue;
}

/** Each failed job once: those that fail meanwhile, also again, wait for the next call. */
export async function retryFailedJobs(queues: BullmqQueues, name: JobName): Promise<void> {
  const queue = await queues.get(name);
  await queue.retryJobs({ state: "failed", timestamp: Date.now() });
}

/** Jobs that are not finished and did not fail for good; null when the store does not say so in time. */
export async function countJobs(queues: BullmqQueues, name: JobName): Promise<number | null> {
  const count = queues
    .get(name)
    .then((queue) => queue.getJobCountByTypes("waiting", "prioritized", "active", "delayed"));
  return (
    (await within(
      COUNT_LIMIT_MS,
      count.catch(() => null),
    )) ?? null
  );
}

/**
 * Adds a job within a limit of time.
 * @throws SluiceError `unavailable` when the store did not confirm the job; it may have it all the same.
 */
export async function addBullmqJob<N extends JobName>(
  queues: BullmqQueues,
  name: N,
  data: JobData[N],
  options: AddOptions,
  timeoutMs: number,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  const add = async (): Promise<true> => {
    const queue = await queues.get(name);
    // What waited for a connection for too long was refused, or is in the other store.
    if (performance.now() >= deadline) throw new Error("too late");
    await queue.add(name, data, {
      attempts: MAX_STARTS[name],
      backoff: { type: "exponential", delay: RESTART_DELAY_MS },
      removeOnComplete: true,
      // An intake job that failed holds acknowledged events: it MUST stay until somebody acts on it.
      removeOnFail: name !== "intake",
      ...(options.delayMs === undefined ? {} : { delay: Math.ceil(options.delayMs) }),
      ...(options.key === undefined ? {} : { jobId: options.key }),
    });
    return true;
  };
  try {
    if ((await within(timeoutMs, add())) === undefined) throw new Error(`no answer within ${timeoutMs} ms`);
  } catch (error) {
    throw new SluiceError("unavailable", "The queue did not confirm the job", {
      retryAfterSeconds: RETRY_AFTER_SECONDS,
      cause: error,
    });
  }
}
