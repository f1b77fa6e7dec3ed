// The consumer's side of BullMQ, the same for both stores. A consumer waits for its store without end, and asks a store
// that is in trouble only a few times a second.

import { createPostgresBackend, type Job, WaitingError, Worker } from "bullmq";

import type { Logger } from "@sluice/shared/runtime/log";
import { settlesWithin } from "@sluice/shared/runtime/within";

import { type StoreConnection, reachStore, STORE_TITLES } from "./bullmq-queues.ts";
import { connectionLog } from "./connection-log.ts";
import { FetchPace } from "./fetch-pace.ts";
import type { JobName } from "./jobs.ts";
import { type Consumer, type Handler, Interrupted } from "./queue.ts";
import { describeStoreError } from "./store-error.ts";

/** When a worker is killed, another takes up its jobs after at most the sum of these two. */
const LOCK_MS = 10_000;
const STALLED_CHECK_MS = 5_000;
/**
 * A job is set aside after so many workers died while they handled it. The number is high, because a worker may also be
 * killed for another reason.
 */
const MAX_STALLS = 25;
/** The pause after a failed fetch; short, because it delays the recovery from an outage. */
const FETCH_RETRY_MS = 500;
/**
 * The limit for the jobs that are being handled. They end at once when the worker stops, unless a store does not
 * answer.
 */
const CONSUMER_CLOSE_LIMIT_MS = 5_000;
/**
 * A consumer without an error for so long gets jobs. A fetch that fails again does so sooner: after its pause, and the
 * time for a connection.
 */
const WELL_AFTER_MS = 4_000;
const CLOSE_LIMIT_MS = 500;

/**
 * Runs a handler over the jobs of a queue.
 * @param cut ends the connection to the store, so that every call that waits for the store fails.
 */
export function consumeBullmq<N extends JobName>(
  name: N,
  concurrency: number,
  handler: Handler<N>,
  connection: StoreConnection,
  cut: () => void,
  log: Logger,
): Consumer {
  const options = {
    autorun: false,
    lockDuration: LOCK_MS,
    stalledInterval: STALLED_CHECK_MS,
    maxStalledCount: MAX_STALLS,
    runRetryDelay: FETCH_RETRY_MS,
  };
  const pace = new FetchPace(concurrency, (jobs) => {
    if (worker !== undefined) worker.concurrency = jobs;
  });
  const handleJob = async (job: Job, token?: string) => {
    pace.begin();
    try {
      await handler(job.data);
    } catch (error) {
      if (!(error instanceof Interrupted)) throw error;
      await job.moveToWait(token);
      throw new WaitingError();
    } finally {
      pace.end();
    }
  };
  const openWorker = (prefix: string) => {
    const wanted = { ...options, prefix, concurrency: pace.concurrency };
    return connection.store === "redis"
      ? new Worker(name, handleJob, { ...wanted, connection: connection.redis })
      : new Worker(name, handleJob, { ...wanted, connection: connection.pool }, createPostgresBackend);
  };
  const logConnectionError = connectionLog(log, { queue: name }, "queue connection");
  let lastError: { error: unknown; atMs: number } | undefined;
  const noteError = (error: Error) => {
    lastError = { error, atMs: performance.now() };
    logConnectionError(error);
  };
  let isClosing = false;
  let worker: ReturnType<typeof openWorker> | undefined;
  let restarting: NodeJS.Timeout | undefined;
  const run = async (): Promise<void> => {
    await reachStore(connection);
    const prefix = await connection.prefix;
    if (isClosing) return;
    const opened = openWorker(prefix);
    worker = opened;
    let resuming: NodeJS.Timeout | undefined;
    opened.on("error", (error) => {
      noteError(error);
      // BullMQ pauses only after an ECONNREFUSED. After any other error of a store (a full disk, a replica) BullMQ
      // would ask again at once, thousands of times a second.
      if (isClosing || resuming !== undefined || !opened.isRunning()) return;
      resuming = setTimeout(() => {
        resuming = undefined;
        if (!isClosing) void opened.resume();
      }, FETCH_RETRY_MS);
      void opened.pause(true);
    });
    opened.on("drained", () => pace.noteEmpty());
    opened.on("closing", () => clearTimeout(resuming));
    opened.on("failed", (job, error) => log.error({ queue: name, job: job?.id, err: error }, "job failed"));
    try {
      // BullMQ asks its store once whether it is ready, and a Worker whose question failed stays unusable.
      await opened.waitUntilReady();
      await opened.run();
    } catch (error) {
      if (!isClosing) await settlesWithin(CLOSE_LIMIT_MS, opened.close(true));
      throw error;
    }
  };
  const start = () => {
    run().catch((error: unknown) => {
      if (isClosing) return;
      noteError(error instanceof Error ? error : new Error(String(error)));
      restarting = setTimeout(start, FETCH_RETRY_MS);
    });
  };
  start();
  return {
    problems: () => {
      if (lastError === undefined || performance.now() - lastError.atMs > WELL_AFTER_MS) return [];
      return [`${name} from ${STORE_TITLES[connection.store]}: ${describeStoreError(lastError.error)}`];
    },
    setConcurrency: (jobs) => pace.setMost(jobs),
    close: async () => {
      isClosing = true;
      clearTimeout(restarting);
      if (worker === undefined) return;
      const closed = worker.close();
      if (await settlesWithin(CONSUMER_CLOSE_LIMIT_MS, closed)) return closed;
      log.warn({ queue: name }, "consumer cut off: its store does not answer");
      cut();
      // BullMQ has a second connection of its own, on which it waits for jobs.
      worker.disconnect().catch(() => undefined);
      if (await settlesWithin(CLOSE_LIMIT_MS, closed)) return closed;
      // BullMQ's close still waits for the store, so it never stops the timer that renews locks. BullMQ has no public
      // method for that: `lockManager` is protected.
      await (worker as unknown as { lockManager: { close: () => Promise<void> } }).lockManager.close();
    },
  };
}
