// The queue as gateway and worker see it. Two backends stand behind it, BullMQ on Redis and on PostgreSQL, and
// nothing outside this folder knows which.

import type { JobData, JobName } from "./jobs.ts";

export interface AddOptions {
  delayMs?: number;
  /** While a job with this key waits, adding another is a no-op. Letters, digits and dashes. */
  key?: string;
}

export interface Producer {
  /** Resolves when the job is durable. @throws SluiceError `unavailable` when that is not certain. */
  add<N extends JobName>(name: N, data: JobData[N], options?: AddOptions): Promise<void>;
  /** Starts once more what has failed and was kept. @throws Error when the store is away. */
  retryFailed(name: JobName): Promise<void>;
  /** Whether the store answers now. */
  isReady(): Promise<boolean>;
  /** In bounded time, also while the store is away. */
  close(): Promise<void>;
}

export interface Consumer {
  /**
   * Stops taking jobs and waits for those in hand, in bounded time: while the store is away they cannot be finished,
   * and another consumer has them again.
   */
  close(): Promise<void>;
}

/**
 * Handles one job. When it throws, the job is tried again and finally set aside; when it throws
 * {@link Interrupted}, the job goes back to the queue as if it had not been started.
 */
export type Handler<N extends JobName> = (data: JobData[N]) => Promise<void>;

/** The worker is stopping, or what the job needs is away: nothing is wrong with the job. */
export class Interrupted extends Error {}

export interface QueueBackend {
  readonly kind: "redis" | "postgres";
  openProducer(): Producer;
  consume<N extends JobName>(name: N, concurrency: number, handler: Handler<N>): Consumer;
  /** Closes what the backend shares, in bounded time; producers and consumers are closed before. */
  close(): Promise<void>;
}
