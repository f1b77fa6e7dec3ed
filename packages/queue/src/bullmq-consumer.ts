// BullMQ's worker behind a consumer, the same for both stores. It waits for its store for as long as it takes, and
// asks it in peace: whatever the store answers, the consumer goes on, and does not make its trouble worse.

import { createPostgresBackend, type Job, WaitingError, Worker } from "bullmq";

import type { Logger } from "@sluice/shared/runtime/log";
import { settlesWithin } from "@sluice/shared/runtime/within";
import { type StoreConnection, PREFIX, reachStore } from "./bullmq.ts";
import { connectionLog } from "./connection-log.ts";
import type { JobName } from "./jobs.ts";
import { type Consumer, type Handler, Interrupted } from "./queue.ts";

/** A job that a killed worker had in hand is taken up again after at most the sum of the two. */
const LOCK_MS = 10_000;
const STALLED_CHECK_MS = 5_000;
/** A job that takes its worker down with it is set aside after so many; a restart is not its fault. */
const MAX_STALLS = 25;
/** The pause after a failed fetch; short, because it delays the recovery from an outage. */
const FETCH_RETRY_MS = 500;
/** For the jobs in hand, which end at once when the worker stops, unless a store does not answer. */
const CONSUMER_CLOSE_LIMIT_MS = 5_000;
const CLOSE_LIMIT_MS = 500;

/** Runs a handler over a queue's jobs. @param cut ends the connection, so that what waits for it fails. */
export function consumeBullmq<N extends JobName>(
  name: N,
  concurrency: number,
  handler: Handler<N>,
  connection: StoreConnection,
  cut: () => void,
  log: Logger,
): Consumer {
  const options = {
    prefix: PREFIX,
    concurrency,
    autorun: false,
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
  const open = () =>
    "redis" in connection
      ? new Worker(name, process, { ...options, connection: connection.redis })
      : new Worker(name, process, { ...options, connection: connection.postgres }, createPostgresBackend);
  const warn = connectionLog(log, { queue: name }, "queue connection");
  let isClosing = false;
  let worker: ReturnType<typeof open> | undefined;
  let restarting: NodeJS.Timeout | undefined;
  const run = async (): Promise<void> => {
    await reachStore(connection);
    if (isClosing) return;
    const opened = open();
    worker = opened;
    let resuming: NodeJS.Timeout | undefined;
    opened.on("error", (error) => {
      warn(error);
      // BullMQ waits after an ECONNREFUSED alone; after all else that a store answers (a full disk, a replica) it
      // would ask again at once, thousands of times a second.
      if (isClosing || resuming !== undefined || !opened.isRunning()) return;
      resuming = setTimeout(() => {
        resuming = undefined;
        if (!isClosing) void opened.resume();
      }, FETCH_RETRY_MS);
      void opened.pause(true);
    });
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
      warn(error instanceof Error ? error : new Error(String(error)));
      restarting = setTimeout(start, FETCH_RETRY_MS);
    });
  };
  start();
  return {
    close: async () => {
      isClosing = true;
      clearTimeout(restarting);
      if (worker === undefined) return;
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
