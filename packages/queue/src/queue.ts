// The queue as gateway and worker see it: BullMQ on PostgreSQL, or on Redis with PostgreSQL to fall back on, and
// nothing outside this folder depends on which.

import type { JobData, JobName } from "./jobs.ts";

export type StoreName = "redis" | "postgres";

/** `verify`: Redis takes jobs only while its settings say that it keeps them. `assume`: the operator says so. */
export type RedisDurability = "verify" | "assume";

export interface AddOptions {
  delayMs?: number;
  /** While a job with this key waits, adding another is a no-op. Letters, digits and dashes. */
  key?: string;
}

export interface RedisState {
  /** Otherwise they go to PostgreSQL. */
  takesJobs: boolean;
  /** What its settings say; null while they were not read. */
  durable: boolean | null;
  /** What is wrong, each in a few words that anybody may read. */
  problems: string[];
}

export interface QueueStatus {
  /** Where a job would be made durable now; undefined when nowhere. */
  takes: StoreName | undefined;
  /** Where Redis is one of the stores. */
  redis?: RedisState;
}

/** Where a job stands among all that were set aside: by time, and by id where that is the same. */
export interface SetAsidePosition {
  failedAtMs: number;
  id: string;
}

export interface SetAsideJob extends SetAsidePosition {
  /** JSON, unless somebody else than the gateway wrote it. */
  data: string;
  error: string;
  starts: number;
}

/** The jobs that were set aside in one store. All methods throw when it is away. */
export interface SetAsideStore {
  readonly store: StoreName;
  /** Newest first, those at an earlier time, or at the same and with an id that is lower by its bytes. */
  positions(before: SetAsidePosition, limit: number): Promise<SetAsidePosition[]>;
  read(id: string): Promise<SetAsideJob | undefined>;
  count(): Promise<number>;
  /** Starts it once more. @returns whether it was set aside. */
  retry(id: string): Promise<boolean>;
  /** Removes it for good. @returns whether it was set aside. */
  discard(id: string): Promise<boolean>;
}

export interface Producer {
  /**
   * Resolves when the job is durable, with the store that has it. Another may have it too: what a job does MUST be
   * right also when it is done twice.
   * @throws SluiceError `unavailable` when that is not certain.
   */
  add<N extends JobName>(name: N, data: JobData[N], options?: AddOptions): Promise<StoreName>;
  /** Starts once more what has failed and was kept, in every store. @throws Error when one of them is away. */
  retryFailed(name: JobName): Promise<void>;
  /** Events that could not be stored, in each store. */
  readonly setAside: readonly SetAsideStore[];
  /** Jobs that wait, are handled or are to be tried again, in each store that is used; null for one that does not say so within half a second. */
  depth(name: JobName): Promise<Partial<Record<StoreName, number | null>>>;
  /** Asks the stores, within 2 seconds. Never throws. */
  status(): Promise<QueueStatus>;
  /** What is known of Redis without asking, where it is one of the stores. */
  readonly redis?: { readonly state: RedisState };
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

/** Opened at once, whatever store is away: each connects when it can, for as long as it takes. */
export interface QueueBackend {
  /** Which takes the jobs while all is well. */
  readonly kind: StoreName;
  openProducer(): Producer;
  consume<N extends JobName>(name: N, concurrency: number, handler: Handler<N>): Consumer;
  /** Closes what the backend shares, in bounded time; producers and consumers are closed before. */
  close(): Promise<void>;
}
