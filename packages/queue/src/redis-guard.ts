// Knows whether Redis may take a job now. Redis may take jobs after a probe has passed: on the producer's own
// connection, the probe reads the settings of Redis and has one small write confirmed. A lost connection ends this
// trust.

import type { Redis } from "ioredis";

import { SluiceError } from "@sluice/shared/runtime/errors";
import type { Logger } from "@sluice/shared/runtime/log";
import { within } from "@sluice/shared/runtime/within";

import type { RedisDurability, RedisState } from "./queue.ts";
import {
  applyFailedAttempt,
  applyFailedProbe,
  applyPassedProbe,
  distrustAtStart,
  type RedisGate,
} from "./redis-gate.ts";
import { findProblems, readPolicy, readRefusalCode } from "./redis-policy.ts";

/**
 * The longest time that a request waits for Redis. A probe has the same limit: a longer one would pass on a slow Redis,
 * and requests would run into their limit again and again.
 */
export const REDIS_BUDGET_MS = 750;
/**
 * The key stands beside the keys of the queues, so that an operator can limit our Redis user to `sluice:*`. It expires
 * in case this process never comes back.
 */
const PROBE_KEY = "sluice:probe";
const PROBE_EXPIRY_MS = 60_000;
const NO_ANSWER = "it does not answer";

export class RedisGuard {
  readonly #redis: Redis;
  readonly #durability: RedisDurability;
  readonly #log: Logger;
  #gate: RedisGate = distrustAtStart(performance.now());
  /** Counts connections. The answers on one say nothing about the next, which may lead to another server. */
  #connection = 0;
  /** What is wrong with the settings of Redis; undefined until they are read on this connection. */
  #policyProblems: string[] | undefined;
  /** The last failure in a few words; undefined after a probe that found none. */
  #failure: string | undefined = NO_ANSWER;
  #probing: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;
  #logged = "";

  constructor(redis: Redis, durability: RedisDurability, log: Logger) {
    this.#redis = redis;
    this.#durability = durability;
    this.#log = log;
    redis.on("ready", () => void this.#probe());
    redis.on("error", (error) => {
      // A connection with a wrong password is never ready, so no probe would find the reason.
      if (!this.takesJobs) this.#failure = describeRedisError(error);
    });
    redis.on("close", () => {
      this.#connection += 1;
      this.#policyProblems = undefined;
      this.recordFailure(this.period, new Error("Connection is closed"));
    });
    this.#scheduleProbe();
  }

  /** Whether Redis is the store for the next job. */
  get takesJobs(): boolean {
    return this.#gate.kind === "trusted";
  }

  /** The period for {@link recordFailure}. Read it when an attempt begins. */
  get period(): number {
    return this.#gate.period;
  }

  /** Whether a job is durable once Redis has confirmed it, however late: the settings or the operator say so. */
  get keepsConfirmedJobs(): boolean {
    return this.#durability === "assume" || this.#policyProblems?.length === 0;
  }

  get state(): RedisState {
    const problems = [...(this.#policyProblems ?? []), ...(this.#failure === undefined ? [] : [this.#failure])];
    return {
      takesJobs: this.takesJobs,
      durable: this.#policyProblems === undefined ? null : this.#policyProblems.length === 0,
      problems,
    };
  }

  /** An attempt that began in this period failed or took too long. The next jobs do not go to Redis. */
  recordFailure(period: number, error: unknown): void {
    const before = this.#gate;
    this.#gate = applyFailedAttempt(before, period, performance.now(), Math.random());
    if (this.#gate === before) return;
    this.#failure = describeRedisError(error);
    this.#logChange();
    this.#scheduleProbe();
  }

  /** Returns the state, after one PING where Redis seems well. Never throws, and takes the budget at most. */
  async check(): Promise<RedisState> {
    const { period } = this;
    const isConnecting = ["connecting", "connect"].includes(this.#redis.status);
    if (isConnecting || this.#probing !== undefined) await this.#awaitProbe();
    else if (this.takesJobs) {
      await awaitAnswer(this.#redis.ping()).catch((error: unknown) => this.recordFailure(period, error));
    }
    return this.state;
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  /**
   * Resolves when a probe of the current connection has ended or the connection is lost, and after the budget at
   * latest.
   */
  async #awaitProbe(): Promise<void> {
    const ended = Promise.withResolvers<void>();
    const onReady = () => void this.#probe().then(ended.resolve);
    this.#redis.once("ready", onReady).once("close", ended.resolve);
    if (this.#probing !== undefined) void this.#probing.then(ended.resolve);
    await within(REDIS_BUDGET_MS, ended.promise);
    this.#redis.off("ready", onReady).off("close", ended.resolve);
  }

  #probe(): Promise<void> {
    this.#probing ??= this.#probeOnce().finally(() => {
      this.#probing = undefined;
      this.#scheduleProbe();
    });
    return this.#probing;
  }

  async #probeOnce(): Promise<void> {
    const connection = this.#connection;
    try {
      const problems = findProblems(await awaitAnswer(readPolicy(this.#redis)));
      if (connection !== this.#connection) throw new Error("Connection is closed");
      this.#policyProblems = problems;
      // The settings do not show a full disk, an fsync that hangs, or that this Redis is a replica. A write does.
      await awaitAnswer(this.#redis.set(PROBE_KEY, "1", "PX", PROBE_EXPIRY_MS));
      if (connection !== this.#connection) throw new Error("Connection is closed");
      this.#failure = undefined;
    } catch (error) {
      // While Redis is not connected, an earlier failure says more than this one: it may be a wrong password.
      if (this.#redis.status === "ready" || this.#failure === undefined) this.#failure = describeRedisError(error);
    }
    const isWell = this.#failure === undefined && this.keepsConfirmedJobs;
    const nowMs = performance.now();
    this.#gate = isWell ? applyPassedProbe(this.#gate, nowMs) : applyFailedProbe(this.#gate, nowMs, Math.random());
    this.#logChange();
  }

  #scheduleProbe(): void {
    clearTimeout(this.#timer);
    if (this.#isClosed) return;
    const inMs = Math.max(0, this.#gate.probeAtMs - performance.now());
    this.#timer = setTimeout(() => void this.#probe(), inMs);
  }

  /** Writes one line for each change of the state. */
  #logChange(): void {
    const { takesJobs, durable, problems } = this.state;
    const change = JSON.stringify([takesJobs, problems]);
    if (this.#isClosed || change === this.#logged) return;
    this.#logged = change;
    if (!takesJobs) this.#log.warn({ durable, problems }, "Redis takes no jobs: they go to PostgreSQL");
    else if (problems.length === 0) this.#log.info("Redis takes the jobs");
    else this.#log.warn({ durable, problems }, "Redis takes the jobs, as REDIS_DURABILITY=assume says");
  }
}

/** @throws Error when there is no answer within the budget. */
async function awaitAnswer<T>(answer: Promise<T>): Promise<T> {
  const settled = await within(
    REDIS_BUDGET_MS,
    answer.then((value) => ({ value })),
  );
  if (settled === undefined) throw new Error("no answer");
  return settled.value;
}

/** For /readyz, which anybody may read: the code with which Redis refuses, and none of its other words. */
function describeRedisError(error: unknown): string {
  // An add that failed wraps the error of Redis in a SluiceError.
  const code = readRefusalCode(error instanceof SluiceError ? error.cause : error);
  return code === undefined ? NO_ANSWER : `it refuses with ${code}`;
}
