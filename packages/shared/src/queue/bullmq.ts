// BullMQ behind the queue interface, the same for both stores: a store gives a connection and a backend.

import { createPostgresBackend, type Job, type PgPool, Queue, WaitingError, Worker } from "bullmq";
import type { Redis } from "ioredis";

import { SluiceError } from "../errors.ts";
import type { Logger } from "../log.ts";
import { settlesWithin, within } from "../within.ts";
import { type JobData, type JobName, MAX_STARTS, RESTART_DELAY_MS } from "./jobs.ts";
import { type AddOptions, type Consumer, type Handler, Interrupted } from "./queue.ts";

const PREFIX = "sluice";

/** A job that a killed worker had in hand is taken up again after at most the sum of the two. */
const LOCK_MS = 10_000;
const STALLED_CHECK_MS = 5_000;
/** A job that takes its worker down with it is set aside after so many; a restart is not its fault. */
const MAX_STALLS = 25;
/** BullMQ's pause after a failed fetch; short, because it delays the recovery from an outage. */
const FETCH_RETRY_MS = 500;
/** BullMQ's stream of its own events is not read by anyone. */
const EVENT_STREAM_LENGTH = 100;
const RETRY_AFTER_SECONDS = 5;
/** For the jobs in hand, which end at once when the worker stops, unless a store does not answer. */
const CONSUMER_CLOSE_LIMIT_MS = 5_000;
const CLOSE_LIMIT_MS = 500;

/** A connection of either store. */
export type Connection = { redis: Redis } | { postgres: PgPool };

export type BullmqQueue = Pick<Queue, "add" | "close" | "retryJobs">;

/** The queues of one producer, each opened when it is first used. */
export class BullmqQueues {
  readonly #connection: Connection;
  readonly #log: Logger;
  readonly #queues = new Map<JobName, Promise<BullmqQueue>>();

  constructor(connection: Connection, log: Logger) {
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

async function openQueue(name: JobName, connection: Connection, log: Logger): Promise<BullmqQueue> {
  const options = { prefix: PREFIX, streams: { events: { maxLen: EVENT_STREAM_LENGTH } } };
  const queue =
    "redis" in connection
      ? new Queue(name, { ...options, connection: connection.redis })
      : new Queue(name, { ...options, connection: connection.postgres }, createPostgresBackend);
  queue.on("error", (error) => log.warn({ queue: name, err: error }, "queue connection"));
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
  const add = async (): Promise<true> => {
    const queue = await queues.get(name);
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

/** Runs a handler over a queue's jobs. @param cut ends the connection, so that what waits for it fails. */
export function consumeBullmq<N extends JobName>(
  name: N,
  concurrency: number,
  handler: Handler<N>,
  connection: Connection,
  cut: () => void,
  log: Logger,
): Consumer {
  const options = {
    prefix: PREFIX,
    concurrency,
    lockDuration: LOCK_MS,
    stalledInterval: STALLED_CHECK_MS,
    maxStalledCount: MAX_STALLS,
    runRetryDelay: FETCH_RETRY_MS,
  };
  const process = async (job: Job, token?: string) => {
    try {
      await handler(job.data);
    } catch (error) {
      if (!(error instanceof Interrupted)) throw error;
      await job.moveToWait(token);
      throw new WaitingError();
    }
  };
  const worker =
    "redis" in connection
      ? new Worker(name, process, { ...options, connection: connection.redis })
      : new Worker(name, process, { ...options, connection: connection.postgres }, createPostgresBackend);
  worker.on("error", (error) => log.warn({ queue: name, err: error }, "queue connection"));
  worker.on("failed", (job, error) => log.error({ queue: name, job: job?.id, err: error }, "job failed"));
  return {
    close: async () => {
      const closed = worker.close();
      if (await settlesWithin(CONSUMER_CLOSE_LIMIT_MS, closed)) return closed;
      log.warn({ queue: name }, "consumer cut off: its store does not answer");
      cut();
      // BullMQ's own second connection, which waits for jobs.
      worker.disconnect().catch(() => undefined);
      if (await settlesWithin(CLOSE_LIMIT_MS, closed)) return closed;
      // BullMQ's close waits still, and would never come to its timer, which is protected.
      await (worker as unknown as { lockManager: { close: () => Promise<void> } }).lockManager.close();
    },
  };
}
