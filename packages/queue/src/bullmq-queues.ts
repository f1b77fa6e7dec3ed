// The producer's side of BullMQ, the same for both stores: opens the queues, adds jobs, counts them and starts them
// again.

import { createPostgresBackend, type Job, type JobsOptions, type PgPool, Queue } from "bullmq";

import { SluiceError } from "@sluice/shared/runtime/errors";
import type { Logger } from "@sluice/shared/runtime/log";
import { settlesWithin, within } from "@sluice/shared/runtime/within";

import { connectionLog } from "./connection-log.ts";
import { type JobData, type JobName, MAX_STARTS, RESTART_DELAY_MS } from "./jobs.ts";
import type { AddOptions } from "./queue.ts";
import type { RedisClient } from "./redis-client.ts";
import { describeStoreError, NoAnswer } from "./store-error.ts";

/** BullMQ keeps a stream of its own events, which nobody reads here. */
const EVENT_STREAM_LENGTH = 100;
const RETRY_AFTER_SECONDS = 5;
const CLOSE_LIMIT_MS = 500;
const COUNT_LIMIT_MS = 500;

export const STORE_TITLES = { redis: "Redis", postgres: "PostgreSQL" } as const;
/** The words of the error of an unconfirmed job: the content of the job, and advice to the reader of the error. */
const UNCONFIRMED: Record<JobName, { what: string; advice: string }> = {
  intake: { what: "the event", advice: "the sender should retry" },
  deliver: { what: "the wake-up of the target", advice: "try again" },
};

/** `prefix` is the beginning of BullMQ's keys. In Redis it holds the identity of the relay, which may come later. */
export type StoreConnection =
  | { store: "redis"; redis: RedisClient; prefix: Promise<string> }
  | { store: "postgres"; pool: PgPool; prefix: string };

export type BullmqQueue = Pick<
  Queue,
  "add" | "close" | "retryJobs" | "remove" | "getFailedCount" | "getJobCountByTypes"
> &
  ConstructorParameters<typeof Job>[0];

/** The queues with jobs, and the one for probes. */
type QueueName = JobName | "probe";

/** The queues of one producer. Each opens when it is first used. */
export class BullmqQueues {
  readonly #connection: StoreConnection;
  readonly #log: Logger;
  readonly #queues = new Map<QueueName, Promise<BullmqQueue>>();

  constructor(connection: StoreConnection, log: Logger) {
    this.#connection = connection;
    this.#log = log;
  }

  get storeTitle(): string {
    return STORE_TITLES[this.#connection.store];
  }

  async get(name: QueueName): Promise<BullmqQueue> {
    const known = this.#queues.get(name);
    if (known !== undefined) return known;
    // BullMQ asks its store once whether it is ready, and a Queue whose question failed stays unusable. So a queue
    // that failed to open is dropped, and the next call opens another.
    const opening = openQueue(name, this.#connection, this.#log);
    this.#queues.set(name, opening);
    opening.catch(() => this.#queues.delete(name));
    return opening;
  }

  async close(): Promise<void> {
    const closed = Promise.allSettled([...this.#queues.values()].map(async (queue) => (await queue).close()));
    // A queue that is still opening has nothing to lose: the caller closes its connection next.
    await settlesWithin(CLOSE_LIMIT_MS, closed);
  }
}

/**
 * Resolves when PostgreSQL answers. Call it before a BullMQ object is made on a pool: BullMQ adds a listener to the
 * pool each time and leaves it there, also when PostgreSQL is away.
 * @throws Error when PostgreSQL is away.
 */
export async function reachStore(connection: StoreConnection): Promise<void> {
  if (connection.store === "postgres") await connection.pool.query("SELECT");
}

async function openQueue(name: QueueName, connection: StoreConnection, log: Logger): Promise<BullmqQueue> {
  await reachStore(connection);
  const options = { prefix: await connection.prefix, streams: { events: { maxLen: EVENT_STREAM_LENGTH } } };
  const queue =
    connection.store === "redis"
      ? new Queue(name, { ...options, connection: connection.redis })
      : new Queue(name, { ...options, connection: connection.pool }, createPostgresBackend);
  queue.on("error", connectionLog(log, { queue: name }, "queue connection"));
  try {
    await queue.waitUntilReady();
  } catch (error) {
    await queue.close().catch(() => undefined);
    throw error;
  }
  return queue;
}

/** Starts each job once more that failed before this call. */
export async function retryFailedJobs(queues: BullmqQueues, name: JobName): Promise<void> {
  const queue = await queues.get(name);
  await queue.retryJobs({ state: "failed", timestamp: Date.now() });
}

/** The number of jobs that are not finished and did not fail for good; null when the store does not answer in time. */
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

/** How often a job is started, and when it is removed. */
export function keepingOptions(name: JobName): JobsOptions {
  return {
    attempts: MAX_STARTS[name],
    backoff: { type: "exponential", delay: RESTART_DELAY_MS },
    removeOnComplete: true,
    // An intake job that failed holds acknowledged events: it MUST stay until somebody acts on it.
    removeOnFail: name !== "intake",
  };
}

/**
 * Adds a job within a time limit.
 * @param confirm is called when the store has the job, and resolves when the job is durable.
 * @throws SluiceError `unavailable` when the store did not confirm the job. The store may have the job all the same.
 */
export async function addBullmqJob<N extends JobName>(
  queues: BullmqQueues,
  name: N,
  data: JobData[N],
  options: AddOptions,
  timeoutMs: number,
  confirm?: () => Promise<void>,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  const add = async (): Promise<true> => {
    const queue = await queues.get(name);
    // The wait for the connection took longer than the limit: the caller was refused, or put the job into the other
    // store.
    if (performance.now() >= deadline) throw new NoAnswer();
    await queue.add(name, data, {
      ...keepingOptions(name),
      ...(options.delayMs === undefined ? {} : { delay: Math.ceil(options.delayMs) }),
      ...(options.key === undefined ? {} : { jobId: options.key }),
    });
    await confirm?.();
    return true;
  };
  try {
    if ((await within(timeoutMs, add())) === undefined) throw new NoAnswer(`no answer within ${timeoutMs} ms`);
  } catch (error) {
    const { what, advice } = UNCONFIRMED[name];
    const reason = describeStoreError(error);
    throw new SluiceError(
      "unavailable",
      `${queues.storeTitle} did not confirm ${what} within ${timeoutMs / 1000} s (${reason}); ${advice}`,
      { retryAfterSeconds: RETRY_AFTER_SECONDS, cause: error },
    );
  }
}
