// Whether Redis may take a job now. It may while its breaker is closed, which only a probe does: on the producer's
// own connection the settings are read, and one small write is confirmed. A lost connection ends what is known.

import type { Redis } from "ioredis";

import { SluiceError } from "@sluice/shared/runtime/errors";
import type { Logger } from "@sluice/shared/runtime/log";
import { within } from "@sluice/shared/runtime/within";
import { afterFailure, afterProbe, type Breaker, openBreaker } from "./redis-gate.ts";
import type { RedisDurability, RedisState } from "./queue.ts";
import { findProblems, isRefusal, readPolicy } from "./redis-policy.ts";

/** What a request may wait for Redis. A probe gets no more, or a slow Redis would be tried again and again. */
export const REDIS_BUDGET_MS = 750;
/** Beside the queues' keys, for whoever limits us to them. It expires, should we never come back. */
const PROBE_KEY = "sluice:probe";
const PROBE_EXPIRY_MS = 60_000;
const NO_ANSWER = "it does not answer";

export class RedisGuard {
  readonly #redis: Redis;
  readonly #durability: RedisDurability;
  readonly #log: Logger;
  #breaker: Breaker = openBreaker(performance.now());
  /** Counts connections: what was asked on one says nothing about the next, which may lead elsewhere. */
  #connection = 0;
  /** Of its settings; undefined while they were not read on this connection. */
  #policyProblems: string[] | undefined;
  /** The last failure, in a few words; undefined when there was none since. */
  #failure: string | undefined = NO_ANSWER;
  #probing: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;
  #reported = "";

  constructor(redis: Redis, durability: RedisDurability, log: Logger) {
    this.#redis = redis;
    this.#durability = durability;
    this.#log = log;
    redis.on("ready", () => void this.#probe());
    redis.on("error", (error) => {
      // A wrong password, for one: such a connection is never ready, and no probe would learn why.
      if (this.isOpen) this.#failure = describeRedisError(error);
    });
    redis.on("close", () => {
      this.#connection += 1;
      this.#policyProblems = undefined;
      this.failed(this.#breaker.period, new Error("Connection is closed"));
    });
    this.#schedule();
  }

  get isOpen(): boolean {
    return this.#breaker.isOpen;
  }

  /** For {@link failed}: to be taken when an attempt begins. */
  get period(): number {
    return this.#breaker.period;
  }

  /** Whether a job that Redis confirms is durable, however long that takes. */
  get isTrusted(): boolean {
    return this.#durability === "assume" || this.#policyProblems?.length === 0;
  }

  get state(): RedisState {
    const problems = [...(this.#policyProblems ?? []), ...(this.#failure === undefined ? [] : [this.#failure])];
    return {
      takesJobs: !this.isOpen,
      durable: this.#policyProblems === undefined ? null : this.#policyProblems.length === 0,
      problems,
    };
  }

  /** An attempt of this period failed or took too long: the next ones do not try. */
  failed(period: number, error: unknown): void {
    const before = this.#breaker;
    this.#breaker = afterFailure(before, period, performance.now(), Math.random());
    if (this.#breaker === before) return;
    this.#failure = describeRedisError(error);
    this.#report();
    this.#schedule();
  }

  /** What is known, after one question where it seems to be well. Never throws, and takes the budget at most. */
  async check(): Promise<RedisState> {
    const { period } = this;
    const isConnecting = ["connecting", "connect"].includes(this.#redis.status);
    if (isConnecting || this.#probing !== undefined) await this.#settled();
    else if (!this.isOpen) await limited(this.#redis.ping()).catch((error: unknown) => this.failed(period, error));
    return this.state;
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  /** Resolves when the connection that is being made was probed or lost, within the budget. */
  async #settled(): Promise<void> {
    const settled = Promise.withResolvers<void>();
    const onReady = () => void this.#probe().then(settled.resolve);
    this.#redis.once("ready", onReady).once("close", settled.resolve);
    if (this.#probing !== undefined) void this.#probing.then(settled.resolve);
    await within(REDIS_BUDGET_MS, settled.promise);
    this.#redis.off("ready", onReady).off("close", settled.resolve);
  }

  #probe(): Promise<void> {
    this.#probing ??= this.#probeOnce().finally(() => {
      this.#probing = undefined;
      this.#schedule();
    });
    return this.#probing;
  }

  async #probeOnce(): Promise<void> {
    const connection = this.#connection;
    try {
      const problems = findProblems(await limited(readPolicy(this.#redis)));
      if (connection !== this.#connection) throw new Error("Connection is closed");
      this.#policyProblems = problems;
      // What reading does not show: a full disk, an fsync that hangs, a replica.
      await limited(this.#redis.set(PROBE_KEY, "1", "PX", PROBE_EXPIRY_MS));
      if (connection !== this.#connection) throw new Error("Connection is closed");
      this.#failure = undefined;
    } catch (error) {
      if (this.#redis.status === "ready" || this.#failure === undefined) this.#failure = describeRedisError(error);
    }
    const isWell = this.#failure === undefined && this.isTrusted;
    this.#breaker = afterProbe(this.#breaker, isWell, performance.now(), Math.random());
    this.#report();
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    if (this.#isClosed) return;
    const inMs = Math.max(0, this.#breaker.probeAtMs - performance.now());
    this.#timer = setTimeout(() => void this.#probe(), inMs);
  }

  /** Once for each change. */
  #report(): void {
    const { takesJobs, durable, problems } = this.state;
    const report = JSON.stringify([takesJobs, problems]);
    if (this.#isClosed || report === this.#reported) return;
    this.#reported = report;
    if (!takesJobs) this.#log.warn({ durable, problems }, "Redis takes no jobs: they go to PostgreSQL");
    else if (problems.length === 0) this.#log.info("Redis takes the jobs");
    else this.#log.warn({ durable, problems }, "Redis takes the jobs, as REDIS_DURABILITY=assume says");
  }
}

/** @throws Error when there is no answer within the budget. */
async function limited<T>(answer: Promise<T>): Promise<T> {
  const settled = await within(
    REDIS_BUDGET_MS,
    answer.then((value) => ({ value })),
  );
  if (settled === undefined) throw new Error("no answer");
  return settled.value;
}

/** For /readyz, which is open to all: the code that Redis refuses with, and none of its other words. */
function describeRedisError(error: unknown): string {
  // Of a job's SluiceError.
  const cause = error instanceof SluiceError ? error.cause : error;
  const code = isRefusal(cause) ? /^[A-Z]+\b/.exec(cause.message)?.[0] : undefined;
  return code === undefined ? NO_ANSWER : `it refuses with ${code}`;
}
