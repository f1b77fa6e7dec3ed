// How many replicas of Redis must confirm a job, and the wait for them. A replica that has not confirmed a job may take
// over without it, so such a job is not durable.

import { createHash } from "node:crypto";
import { setImmediate } from "node:timers/promises";

import type { Redis } from "ioredis";

import type { RedisAddress } from "@sluice/shared/settings/redis-address";
import { within } from "@sluice/shared/runtime/within";

import type { RedisReplicaRule, ReplicaCount } from "./queue.ts";
import type { Replication } from "./redis-replication.ts";
import { NoAnswer, TooFewReplicas } from "./store-error.ts";

/** Leaves room for the job itself in the time that a request waits for Redis. */
const REPLICA_LIMIT_MS = 500;
/** PostgreSQL MUST NOT hold up a Redis that is well. */
const MEMORY_LIMIT_MS = 500;

export interface RedisReplicasOptions {
  /** The connection on which jobs travel; undefined while there is none. */
  findNode: () => Redis | undefined;
  rule: RedisReplicaRule;
  /**
   * Notes how many replicas there are, and returns the most that any process has seen in the last 24 hours. Rejects
   * while that memory is away.
   */
  remember: (seen: number) => Promise<number>;
  /** Whether the replicas must have the job on disk, where Redis can tell. */
  wantsDisk: boolean;
}

export class RedisReplicas {
  readonly #options: RedisReplicasOptions;
  /** Undefined until this connection's server has been asked. */
  #replication: Replication | undefined;
  /** The most replicas of the last 24 hours; undefined until they were counted once. */
  #most: number | undefined;
  #isMemoryRead = false;
  /** The wait that is about to be sent, which all jobs share that are in Redis before it. */
  #nextWait: Promise<void> | undefined;

  constructor(options: RedisReplicasOptions) {
    this.#options = options;
  }

  get count(): ReplicaCount {
    return { required: this.#required ?? null, seen: this.#replication?.online ?? null };
  }

  /** Whether the replicas were counted, and those that this process never saw are not known yet. */
  get isUncertain(): boolean {
    return this.#options.rule === "auto" && this.#most !== undefined && !this.#isMemoryRead;
  }

  /** Why a job that Redis confirms may be lost in a failover, in words that anybody may read. */
  get problems(): string[] {
    const { required, seen } = this.count;
    return [
      ...(required !== null && seen !== null && required < seen
        ? [`jobs wait for ${required} of ${seen} replicas`]
        : []),
      ...(this.isUncertain ? ["the replicas of the last 24 hours are not known"] : []),
    ];
  }

  get #required(): number | undefined {
    return this.#options.rule === "auto" ? this.#most : this.#options.rule;
  }

  /** Takes in what the server of this connection says. Takes half a second at most, and never throws. */
  async note(replication: Replication): Promise<void> {
    this.#replication = replication;
    if (this.#options.rule !== "auto" || !replication.isPrimary) return;
    const seen = replication.online;
    const most = await within(MEMORY_LIMIT_MS, this.#options.remember(seen)).catch(() => undefined);
    // Failure policy: open. While PostgreSQL is away, this process waits for the most replicas that it knows of: if it
    // waited for PostgreSQL instead, no store would take an event.
    this.#most = most ?? Math.max(seen, this.#most ?? 0);
    if (most !== undefined) this.#isMemoryRead = true;
  }

  /** The connection was lost: the next one may lead to another server. */
  forgetServer(): void {
    this.#replication = undefined;
  }

  /**
   * Prepares the wait for the replicas of one job. Call it before the job is sent.
   * @returns undefined when no replica has to confirm. Otherwise a function to call when Redis has the job. It resolves
   * when enough replicas have it too, and throws {@link TooFewReplicas} when they do not confirm in time.
   */
  prepareWait(): (() => Promise<void>) | undefined {
    if (this.#required === 0) return undefined;
    const { findNode } = this.#options;
    const stream = findNode()?.stream;
    return async () => {
      await (this.#nextWait ??= this.#wait());
      // Redis waits for what was written on the connection that asks. On a new connection it confirms at once.
      if (findNode()?.stream !== stream) throw new Error("Connection is closed");
    };
  }

  /** One wait at the end of this turn of the event loop is for all jobs that Redis has confirmed by then. */
  async #wait(): Promise<void> {
    await setImmediate();
    this.#nextWait = undefined;
    const required = this.#required;
    // Only a Redis that the operator vouches for gets a job before its replicas were counted.
    if (required === undefined) throw new NoAnswer("the replicas are not counted yet");
    const confirmed = await this.#countConfirming(required);
    if (confirmed < required) throw new TooFewReplicas(confirmed, required);
  }

  async #countConfirming(required: number): Promise<number> {
    const { findNode, wantsDisk } = this.#options;
    const redis = findNode();
    if (redis === undefined) throw new Error("Connection is closed");
    const deadlineMs = performance.now() + REPLICA_LIMIT_MS;
    const inMemory = await redis.wait(required, REPLICA_LIMIT_MS);
    if (inMemory < required || !wantsDisk || this.#replication?.hasWaitAof !== true) return inMemory;
    // Only after WAIT: a replica that is asked while the job arrives answers before its fsync, and reports again only a
    // second later. A limit of 0 would be none.
    const limitMs = Math.max(1, Math.ceil(deadlineMs - performance.now()));
    const [local, onDisk] = (await redis.call("WAITAOF", 1, required, limitMs)) as [number, number];
    return local === 0 ? 0 : onDisk;
  }
}

/** Names a Redis by its address, without the password. Replicas of another Redis say nothing of this one. */
export function nameRedis(address: RedisAddress): string {
  const hosts = address.kind === "single" ? [address] : address.hosts;
  const names = hosts.map(({ host, port }) => `${host}:${port}`).toSorted();
  const master = address.kind === "sentinel" ? address.master : "";
  return createHash("sha256")
    .update([address.kind, master, ...names].join())
    .digest("hex")
    .slice(0, 16);
}
