// The interfaces of the queue for gateway and worker. The jobs are in PostgreSQL, or in Redis with PostgreSQL to fall
// back on, and no code outside of this package depends on which.

import type { JobData, JobName } from "./jobs.ts";
import type { RedisServerState } from "./redis-server-state.ts";

export type StoreName = "redis" | "postgres";

/**
 * With `verify`, Redis takes jobs only while its settings say that it keeps them. With `assume`, the operator vouches
 * for Redis.
 */
export type RedisDurability = "verify" | "assume";

/**
 * How many replicas of Redis must confirm a job; `auto` is the most that were seen in the last 24 hours. A replica that
 * drops out does not lower that number: jobs go to PostgreSQL instead.
 */
export type RedisReplicaRule = number | "auto";

/** How many replicas of Redis must confirm a job, and how many are online; null until Redis was asked. */
export interface ReplicaCount {
  required: number | null;
  seen: number | null;
}

export interface AddOptions {
  delayMs?: number;
  /** While a job with this key waits, another one is not added. Letters, digits and dashes. */
  key?: string;
}

export interface RedisState {
  /** Whether jobs go to Redis. Otherwise they go to PostgreSQL. */
  takesJobs: boolean;
  /** Whether jobs go to Redis and nothing is wrong, or nothing that the operator does not vouch for. */
  isWell: boolean;
  /**
   * Whether Redis keeps what it confirms, by its settings, and also when a replica takes over; null until the settings
   * are read.
   */
  durable: boolean | null;
  replicas: ReplicaCount;
  /** What is wrong, each problem in a few words that anybody may read. */
  problems: string[];
}

export interface QueueStatus {
  /** The store that would take a job now; undefined when no store would. */
  takes: StoreName | undefined;
  /** Why PostgreSQL does not take a job now, in a few words that anybody may read; undefined when it does. */
  postgresProblem: string | undefined;
  /** Present when Redis is one of the stores. */
  redis?: RedisState;
}

/** The place of a job in the list of all jobs that were set aside: by time, and by id within one millisecond. */
export interface SetAsidePosition {
  failedAtMs: number;
  id: string;
}

export interface SetAsideJob extends SetAsidePosition {
  /** JSON, unless a program other than the gateway wrote the job. */
  data: string;
  error: string;
  starts: number;
}

/** The jobs that were set aside in one store. All methods throw when the store is away. */
export interface SetAsideStore {
  readonly store: StoreName;
  /** Newest first: the jobs that failed before the position, or in its millisecond with an id that has lower bytes. */
  positions(before: SetAsidePosition, limit: number): Promise<SetAsidePosition[]>;
  read(id: string): Promise<SetAsideJob | undefined>;
  count(): Promise<number>;
  /** Starts the job once more. @returns false when no such job was set aside. */
  retry(id: string): Promise<boolean>;
  /** Removes the job for good. @returns false when no such job was set aside. */
  discard(id: string): Promise<boolean>;
}

export interface Producer {
  /**
   * Resolves when the job is durable, with the name of the store that has it. The other store may have the job too, so
   * a job's handler MUST be right also when it runs twice.
   * @throws SluiceError `unavailable` when no store confirmed the job.
   */
  add<N extends JobName>(name: N, data: JobData[N], options?: AddOptions): Promise<StoreName>;
  /** Starts all jobs once more that failed and were kept, in every store. @throws Error when a store is away. */
  retryFailed(name: JobName): Promise<void>;
  /** The events that could not be stored, in each store. */
  readonly setAside: readonly SetAsideStore[];
  /**
   * The number of unfinished jobs in each store: they wait, are being handled, or will be tried again. Null for a store
   * that does not answer within half a second.
   */
  depth(name: JobName): Promise<Partial<Record<StoreName, number | null>>>;
  /** Asks the stores, for at most 2 seconds. Never throws. */
  status(): Promise<QueueStatus>;
  /** What this process knows of Redis. Present when Redis is one of the stores. */
  readonly redis?: {
    /** Known without asking. */
    readonly state: RedisState;
    /** Asks Redis. @returns undefined when it may not be asked. @throws Error when it does not answer. */
    readServerState: () => Promise<RedisServerState | undefined>;
  };
  /** Closes the producer in bounded time, also while a store is away. */
  close(): Promise<void>;
}

export interface Consumer {
  /** Why this consumer gets no jobs now, a line for each store, that anybody may read. */
  problems(): string[];
  /**
   * Sets how many jobs of each store are handled at once from now on, at least 1. Jobs that are being handled go on.
   */
  setConcurrency(jobs: number): void;
  /**
   * Takes no more jobs and waits in bounded time for the jobs that are being handled. While the store is away they
   * cannot be finished, and another consumer takes them later.
   */
  close(): Promise<void>;
}

/**
 * Handles one job. When the handler throws, the job is tried again and finally set aside. When it throws
 * {@link Interrupted}, the job goes back to the queue as if it had not been started.
 */
export type Handler<N extends JobName> = (data: JobData[N]) => Promise<void>;

/** The job itself is not at fault: the worker is stopping, or something that the job needs is away. */
export class Interrupted extends Error {}

/** Which of these sources (of an intake job) or targets (of a wake-up) are in this relay's database. */
export type FindOwn = (name: JobName, ids: string[]) => Promise<ReadonlySet<string>>;

/** A backend opens at once, also while a store is away: each connection tries until it succeeds. */
export interface QueueBackend {
  /** The store that takes the jobs while all stores are well. */
  readonly kind: StoreName;
  openProducer(): Producer;
  consume<N extends JobName>(name: N, concurrency: number, handler: Handler<N>): Consumer;
  /**
   * Moves the jobs that a version without identities left in Redis to the queues of this relay, as long as there are
   * any. Jobs whose source or target is not in this database stay.
   */
  moveOldJobs(producer: Pick<Producer, "add">, findOwn: FindOwn): Pick<Consumer, "close">;
  /** Closes in bounded time what producers and consumers share. Close the producers and consumers first. */
  close(): Promise<void>;
}
