// Knows whether Redis may take a job now. Redis may take jobs after a probe has passed: on the producer's own
// connection, the probe reads the settings of Redis and its replicas, and has one small job confirmed. A lost
// connection ends this trust.

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
import { findMaster, onMastersChanged, type RedisClient } from "./redis-client.ts";
import { describeClusterMisfit, findServerProblems } from "./redis-policy.ts";
import { readRefusalCode } from "./redis-refusal.ts";
import type { RedisReplicas } from "./redis-replicas.ts";
import { readReplication } from "./redis-replication.ts";
import { readRedisServerState, type RedisServerState } from "./redis-server-state.ts";
import { redisPrefix, type RelayIdentity } from "./relay-identity.ts";
import { TooFewReplicas } from "./store-error.ts";

/**
 * The longest time that a request waits for Redis. A probe has the same limit: a longer one would pass on a slow Redis,
 * and requests would run into their limit again and again.
 */
export const REDIS_BUDGET_MS = 750;
/** Whoever asks for the state waits for so long. It is below the limit of a check of /readyz. */
const CHECK_LIMIT_MS = 2 * REDIS_BUDGET_MS;
/** A job or a probe that was confirmed within this time says that Redis is well. */
const FRESH_MS = 1_000;
/** The pause until the replicas of earlier runs are asked for again. */
const UNCERTAIN_PROBE_MS = 1_000;
const NO_ANSWER = "it does not answer";
const NO_IDENTITY = "its keys need the identity of this relay, which PostgreSQL has not told yet";

class IdentityUnknown extends Error {}

export interface RedisGuardOptions {
  /** The connection of the producer. */
  redis: RedisClient;
  identity: RelayIdentity;
  durability: RedisDurability;
  replicas: RedisReplicas;
  /** Adds a job that is as durable as one with events. */
  probe: () => Promise<void>;
  log: Logger;
}

export class RedisGuard {
  readonly #redis: RedisClient;
  readonly #identity: RelayIdentity;
  readonly #durability: RedisDurability;
  readonly #replicas: RedisReplicas;
  readonly #addProbeJob: () => Promise<void>;
  readonly #log: Logger;
  #gate: RedisGate = distrustAtStart(performance.now());
  /** Counts connections. The answers on one say nothing about the next, which may lead to another server. */
  #connection = 0;
  /** What is wrong with the settings of Redis; undefined until they are read on this connection. */
  #policyProblems: string[] | undefined;
  /** The last failure in a few words; undefined after a probe that found none. */
  #failure: string | undefined = NO_ANSWER;
  #confirmedAtMs = -Infinity;
  #probing: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;
  #logged = "";

  constructor({ redis, identity, durability, replicas, probe, log }: RedisGuardOptions) {
    this.#redis = redis;
    this.#identity = identity;
    this.#durability = durability;
    this.#replicas = replicas;
    this.#addProbeJob = probe;
    this.#log = log;
    redis.on("ready", () => void this.#probe());
    redis.on("error", (error) => {
      // A connection with a wrong password is never ready, so no probe would find the reason.
      if (!this.takesJobs) this.#failure = describeRedisError(error);
    });
    const forget = () => {
      this.#connection += 1;
      this.#policyProblems = undefined;
      this.#replicas.forgetServer();
      this.recordFailure(this.period, new Error("Connection is closed"));
    };
    redis.on("close", forget);
    onMastersChanged(redis, () => {
      forget();
      void this.#probe();
    });
    void identity.known.then(() => (this.#isClosed ? undefined : this.#probe()));
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
    const { takesJobs } = this;
    const replicas = this.#replicas.count;
    const unsafe = [...(this.#policyProblems ?? []), ...this.#replicas.problems];
    const problems = [...unsafe, ...(this.#failure === undefined ? [] : [this.#failure])];
    return {
      takesJobs,
      isWell: takesJobs && (this.#durability === "assume" || problems.length === 0),
      durable: this.#policyProblems === undefined ? null : unsafe.length === 0,
      replicas,
      problems,
    };
  }

  /** A job was confirmed. */
  recordSuccess(): void {
    this.#confirmedAtMs = performance.now();
  }

  /** An attempt that began in this period failed or took too long. The next jobs do not go to Redis. */
  recordFailure(period: number, error: unknown): void {
    const before = this.#gate;
    this.#gate = applyFailedAttempt(before, period, performance.now(), Math.random());
    if (this.#gate === before) return;
    this.#failure = describeRedisError(error);
    this.#confirmedAtMs = -Infinity;
    this.#logChange();
    this.#scheduleProbe();
  }

  /**
   * Returns the state, after a probe where Redis seems well and no job was confirmed just now. Never throws, and takes
   * twice the budget at most.
   */
  async check(): Promise<RedisState> {
    const isConnecting = ["connecting", "connect"].includes(this.#redis.status);
    if (isConnecting || this.#probing !== undefined) await this.#awaitProbe();
    else if (this.takesJobs && performance.now() - this.#confirmedAtMs >= FRESH_MS) {
      await within(CHECK_LIMIT_MS, this.#probe());
    }
    return this.state;
  }

  readServerState(): Promise<RedisServerState | undefined> {
    return readRedisServerState(this.#redis);
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  /**
   * Resolves when a probe of the current connection has ended or the connection is lost, and after the limit of a check
   * at latest.
   */
  async #awaitProbe(): Promise<void> {
    const ended = Promise.withResolvers<void>();
    const onReady = () => void this.#probe().then(ended.resolve);
    this.#redis.once("ready", onReady).once("close", ended.resolve);
    if (this.#probing !== undefined) void this.#probing.then(ended.resolve);
    await within(CHECK_LIMIT_MS, ended.promise);
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
      const problems = await awaitAnswer(findServerProblems(this.#redis));
      if (connection !== this.#connection) throw new Error("Connection is closed");
      this.#policyProblems = problems;
      const { id } = this.#identity;
      if (id === undefined) throw new IdentityUnknown();
      const node = findMaster(this.#redis, redisPrefix(id));
      if (node === undefined) throw new Error("The cluster is not known yet");
      const replication = await awaitAnswer(readReplication(node));
      if (connection !== this.#connection) throw new Error("Connection is closed");
      await this.#replicas.note(replication);
      // The settings do not show a full disk, an fsync that hangs, a user without scripts, or that this Redis is a
      // replica. A job does.
      await awaitAnswer(this.#addProbeJob());
      if (connection !== this.#connection) throw new Error("Connection is closed");
      this.#failure = undefined;
      this.recordSuccess();
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
    const probeInMs = Math.max(0, this.#gate.probeAtMs - performance.now());
    const isUncertain = this.takesJobs && this.#replicas.isUncertain;
    const inMs = isUncertain ? Math.min(probeInMs, UNCERTAIN_PROBE_MS) : probeInMs;
    this.#timer = setTimeout(() => void this.#probe(), inMs);
  }

  /** Writes one line for each change of the state. */
  #logChange(): void {
    const { takesJobs, isWell, durable, replicas, problems } = this.state;
    const change = JSON.stringify([takesJobs, problems]);
    if (this.#isClosed || change === this.#logged) return;
    this.#logged = change;
    if (!takesJobs) this.#log.warn({ durable, replicas, problems }, "Redis takes no jobs: they go to PostgreSQL");
    else if (problems.length === 0) this.#log.info({ replicas }, "Redis takes the jobs");
    else if (isWell) this.#log.warn({ durable, problems }, "Redis takes the jobs, as REDIS_DURABILITY=assume says");
    else this.#log.warn({ durable, replicas, problems }, "Redis takes the jobs, and a failover may lose some");
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
  if (error instanceof IdentityUnknown) return NO_IDENTITY;
  // An add that failed wraps the error of Redis in a SluiceError.
  const cause = error instanceof SluiceError ? error.cause : error;
  if (cause instanceof TooFewReplicas) return cause.message;
  const misfit = describeClusterMisfit(cause);
  if (misfit !== undefined) return misfit;
  const code = readRefusalCode(cause);
  return code === undefined ? NO_ANSWER : `it refuses with ${code}`;
}
