// The circuit breakers of all targets, shared with the other workers through PostgreSQL. One loop writes what this
// worker decided and then reads what the others decided, so that what it reads is never older than what it wrote. A
// breaker opens in this worker at once, and in the others when they look next.

import { formatId } from "@sluice/shared/domain/ids";
import { isChatKind } from "@sluice/shared/domain/target-kinds";
import { FreshRuns } from "@sluice/shared/runtime/fresh-runs";
import type { Logger } from "@sluice/shared/runtime/log";
import { sparing } from "@sluice/shared/runtime/sparing-log";
import {
  type AilingTarget,
  claimProbe,
  disableFailing,
  disableGone,
  endProbe,
  listAiling,
  type ProbeResult,
  writeOpenBreaker,
  writeTallies,
} from "@sluice/store/delivery/target-health";
import type { Target } from "@sluice/store/configuration/targets";
import type { Database } from "@sluice/store/connection/database";
import type { Lease } from "@sluice/store/delivery/deliveries";

import { type AttemptResult, isGone, isRateLimited, isSuccess, isTargetFailure } from "@sluice/attempt/attempt-result";
import { type Gate, openForMs, type Probe, type SharedState, TargetBreaker } from "./breaker.ts";
import { HealthTally } from "./health-tally.ts";

/** How often the loop runs: a change is known to every worker within a second. */
const EVERY_MS = 500;
/**
 * A target that got no attempt for so long was not failing meanwhile. Longer than the longest time between two retries.
 */
const SILENCE_MS = 86_400_000;
/** The most tallies in one statement. */
const TALLY_BATCH = 1_000;
/** Logged by each worker that did not open the breaker itself. From then on that worker sends nothing. */
const SEEN_OPEN = "breaker seen open";

/** The breaker of one target, as its lane uses it. */
export interface LaneBreaker {
  gate: () => Gate;
  /** How many requests at once the target may have now. */
  limit: (maxInFlight: number) => number;
  /**
   * Call it only at the gate `probe`. @returns undefined when another worker has the probe; otherwise end it by
   * `report` or `cancelProbe`.
   */
  claimProbe: () => Promise<Probe | undefined>;
  /** There was nothing to send as the probe. */
  cancelProbe: (probe: Probe) => void;
  /** @param probe that the attempt was; undefined for any other attempt. */
  report: (target: Target, result: AttemptResult, probe: Probe | undefined) => void;
}

export interface BreakersDependencies {
  db: Database;
  lease: Lease;
  /** For how long every attempt must fail until the target is disabled; Infinity for never. */
  disableAfterMs: number;
  /** Brings this worker's copy of the targets up to date. */
  refreshTargets: () => Promise<void>;
  /** Called when the breaker of a target opened or closed, or its probe is due. */
  wake: (targetId: string) => void;
  log: Logger;
}

/** What this worker knows of one target, and what it has still to write. */
interface Watched {
  breaker: TargetBreaker;
  tally: HealthTally;
  /** Whether every attempt failed lately, and for too long, as PostgreSQL said at the last look. */
  failing: Pick<AilingTarget, "isFailing" | "isFailingTooLong">;
  /** Whether an attempt of this worker failed since the last look. */
  hasFailed: boolean;
  /** The target answered 410 to an attempt that began then, and is not disabled yet. */
  gone: { attemptStartedAt: number } | undefined;
}

const WELL = { isFailing: false, isFailingTooLong: false };
const CLOSED: SharedState = { kind: "closed" };

export class Breakers {
  readonly #dependencies: BreakersDependencies;
  readonly #watched = new Map<string, Watched>();
  /** The targets about which something is still to be written. Most of thousands have nothing most of the time. */
  readonly #unsettled = new Set<string>();
  /** The targets that were failing, or whose breaker was open, at the last look. */
  #ailing = new Set<string>();
  readonly #exchanges = new FreshRuns(() => this.#exchange());
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(dependencies: BreakersDependencies) {
    this.#dependencies = dependencies;
  }

  /** MUST come before anything is sent. @throws when PostgreSQL is away. */
  async start(): Promise<void> {
    await this.refresh();
    this.#schedule(EVERY_MS);
  }

  forTarget(targetId: string): LaneBreaker {
    const watched = this.#watch(targetId);
    return {
      gate: () => gateOf(watched),
      limit: (maxInFlight) => watched.breaker.limit(maxInFlight),
      claimProbe: () => this.#claimProbe(targetId, watched),
      cancelProbe: (probe) => this.#endProbe(targetId, watched, probe, { kind: "not_made" }),
      report: (target, result, probe) => this.#report(target, watched, result, probe),
    };
  }

  isOpen(targetId: string): boolean {
    const watched = this.#watched.get(targetId);
    return watched !== undefined && gateOf(watched) !== "closed";
  }

  /** For a target that was deleted and gets nothing any more. */
  forget(targetId: string): void {
    this.#watched.delete(targetId);
    this.#unsettled.delete(targetId);
    this.#ailing.delete(targetId);
  }

  /** Resolves when this worker knows what the others committed before the call. @throws when PostgreSQL is away. */
  refresh(): Promise<void> {
    return this.#exchanges.next();
  }

  /** Writes what is left, once. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    // Failure policy: open. The lease of a probe runs out, and the other workers find out by themselves how a target
    // is.
    await this.refresh().catch((error: unknown) =>
      sparing(this.#dependencies.log).warn({ err: error }, "health of targets not written at the stop"),
    );
  }

  #watch(targetId: string): Watched {
    const known = this.#watched.get(targetId);
    if (known !== undefined) return known;
    const watched: Watched = {
      breaker: new TargetBreaker(),
      tally: new HealthTally(),
      failing: WELL,
      hasFailed: false,
      gone: undefined,
    };
    this.#watched.set(targetId, watched);
    return watched;
  }

  #report(target: Target, watched: Watched, result: AttemptResult, probe: Probe | undefined): void {
    const { breaker, tally } = watched;
    const nowMs = performance.now();
    const startedAtMs = nowMs - result.durationMs;
    const askedMs = result.retryAfterMs ?? 0;
    const isFailure = isTargetFailure(result);
    this.#unsettled.add(target.id);
    tally.add(isSuccess(result), nowMs);
    watched.hasFailed ||= !isSuccess(result);
    if (isGone(result)) {
      watched.gone = { attemptStartedAt: startedAtMs };
      this.#schedule(0);
    }
    if (probe !== undefined) {
      const openMs = openForMs(probe.openings + 1, target, askedMs, Math.random());
      this.#endProbe(target.id, watched, probe, isFailure ? { kind: "opened", openMs } : { kind: "closed" });
      return;
    }
    // A target that is about to be disabled needs no breaker.
    if (watched.gone !== undefined) return;
    const mustOpen = breaker.countAttempt({ isFailure, startedAtMs, nowMs, askedMs, maxInFlight: target.maxInFlight });
    // A chat service means every message when it asks for a pause, and blocks a sender that goes on.
    const isAsked = isChatKind(target.kind) && isRateLimited(result) && breaker.mayOpen;
    if (!mustOpen && !isAsked) return;
    breaker.open(openForMs(1, target, Math.max(askedMs, breaker.askedMs(nowMs)), Math.random()));
    this.#schedule(0);
  }

  async #claimProbe(targetId: string, { breaker }: Watched): Promise<Probe | undefined> {
    const { db, lease } = this.#dependencies;
    breaker.beginClaim();
    this.#unsettled.add(targetId);
    try {
      return breaker.claimed(await claimProbe(db, targetId, lease));
    } catch (error) {
      breaker.claimFailed();
      this.#schedule(0);
      throw error;
    }
  }

  #endProbe(targetId: string, { breaker }: Watched, probe: Probe, result: ProbeResult): void {
    this.#unsettled.add(targetId);
    if (breaker.endProbe(probe, result)) this.#schedule(0);
  }

  #schedule(inMs: number): void {
    clearTimeout(this.#timer);
    if (this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.refresh()
        // Failure policy: open. What is known stays in force, and what was not written is written the next time.
        .catch((error: unknown) =>
          sparing(this.#dependencies.log).warn({ err: error }, "health of targets not exchanged; trying again"),
        )
        .finally(() => {
          if (this.#timer === undefined) this.#schedule(EVERY_MS);
        });
    }, inMs);
  }

  async #exchange(): Promise<void> {
    const unsettled = [...this.#unsettled].flatMap((targetId): [string, Watched][] => {
      const watched = this.#watched.get(targetId);
      return watched === undefined ? [] : [[targetId, watched]];
    });
    for (const [targetId, watched] of unsettled) {
      if (watched.breaker.unwritten !== undefined) await this.#writeBreaker(targetId, watched.breaker);
      if (watched.gone !== undefined) await this.#disableGone(targetId, watched, watched.gone);
    }
    await this.#writeTallies(unsettled);
    await this.#disableFailing(unsettled);
    for (const [targetId, watched] of unsettled) if (isSettled(watched)) this.#unsettled.delete(targetId);
    const { db, disableAfterMs } = this.#dependencies;
    if (!this.#closed) this.#learn(await listAiling(db, disableAfterMs));
  }

  async #writeBreaker(targetId: string, breaker: TargetBreaker): Promise<void> {
    const { db, lease, log } = this.#dependencies;
    const { unwritten } = breaker;
    const target = formatId("tgt", targetId);
    switch (unwritten?.kind) {
      case undefined:
        return;
      case "opening": {
        const { openMs } = unwritten;
        const isOpened = await writeOpenBreaker(db, targetId, openMs);
        if (isOpened) log.warn({ target, open_ms: openMs }, "breaker opened");
        else if (breaker.shared.kind === "closed") log.debug({ target }, SEEN_OPEN);
        breaker.openingWritten();
        // Another worker may close it before this one looks.
        this.#ailing.add(targetId);
        return;
      }
      case "ending":
        await endProbe(db, targetId, lease.workerId, unwritten.result);
        if (unwritten.result.kind === "closed") log.info({ target }, "breaker closed");
        breaker.probeEndWritten();
    }
  }

  async #disableGone(targetId: string, watched: Watched, gone: { attemptStartedAt: number }): Promise<void> {
    const { db, log, refreshTargets } = this.#dependencies;
    const isDisabled = await disableGone(db, targetId, performance.now() - gone.attemptStartedAt);
    // MUST come before the gate opens, so that the lane sees the new state then.
    await refreshTargets();
    if (watched.gone === gone) watched.gone = undefined;
    if (isDisabled) log.warn({ target: formatId("tgt", targetId) }, "target disabled: it answered 410 Gone");
  }

  async #writeTallies(unsettled: readonly [string, Watched][]): Promise<void> {
    const { db, disableAfterMs } = this.#dependencies;
    const nowMs = performance.now();
    const allDue = unsettled.filter(([, { tally, failing }]) => tally.isDue(nowMs, failing.isFailing));
    for (let first = 0; first < allDue.length; first += TALLY_BATCH) {
      const due = allDue.slice(first, first + TALLY_BATCH);
      const tallies = due.map(([targetId, { tally }]) => tally.read(targetId, nowMs));
      await writeTallies(db, tallies, Math.min(SILENCE_MS, disableAfterMs));
      for (const [, { tally }] of due) tally.written(nowMs);
    }
  }

  /** Only targets at which an attempt of this worker has just failed: time alone disables nothing. */
  async #disableFailing(unsettled: readonly [string, Watched][]): Promise<void> {
    const { db, disableAfterMs, refreshTargets, log } = this.#dependencies;
    const failed = unsettled.filter(([, { hasFailed, failing }]) => hasFailed && failing.isFailingTooLong);
    for (const [, watched] of unsettled) watched.hasFailed = false;
    if (failed.length === 0) return;
    const targetIds = failed.map(([targetId]) => targetId);
    const disabled = await disableFailing(db, targetIds, disableAfterMs);
    for (const targetId of disabled) log.warn({ target: formatId("tgt", targetId) }, "target disabled: only failures");
    if (disabled.length > 0) await refreshTargets();
  }

  #learn(ailing: AilingTarget[]): void {
    const { wake, log } = this.#dependencies;
    const byId = new Map(ailing.map((one) => [one.targetId, one]));
    // About all other targets PostgreSQL says what it said before: they are well.
    const concerned = new Set([...this.#ailing, ...byId.keys()]);
    this.#ailing = new Set(byId.keys());
    for (const targetId of concerned) {
      const watched = this.#watch(targetId);
      const { breaker } = watched;
      const known = byId.get(targetId);
      const before = breaker.shared.kind;
      breaker.learn(sharedStateOf(known), performance.now());
      const { shared } = breaker;
      if (watched.failing.isFailing && known?.isFailing !== true) watched.tally.forgetFailures();
      watched.failing = known ?? WELL;
      if (before === "closed" && shared.kind === "open") log.debug({ target: formatId("tgt", targetId) }, SEEN_OPEN);
      if (before !== shared.kind || (shared.kind === "open" && shared.isProbeDue)) wake(targetId);
    }
  }
}

function sharedStateOf(known: AilingTarget | undefined): SharedState {
  if (known === undefined || known.openings === 0) return CLOSED;
  return { kind: "open", openings: known.openings, isProbeDue: known.isProbeDue };
}

/** Whether nothing about the target is still to be written. */
function isSettled({ breaker, tally, hasFailed, gone }: Watched): boolean {
  return breaker.unwritten === undefined && tally.isEmpty && !hasFailed && gone === undefined;
}

/** A target that answered 410 gets nothing more until it is disabled. */
function gateOf({ breaker, gone }: Watched): Gate {
  return gone === undefined ? breaker.gate() : "open";
}
