// The circuit breakers of all targets, shared with the other workers through PostgreSQL. One loop writes what was
// decided here and reads what the others decided, one after the other, so that what is read is never older than what
// was written. A breaker shuts in this worker at once, and in the others when they look next.

import { FreshRuns } from "@sluice/shared/runtime/fresh-runs";
import { formatId } from "@sluice/shared/domain/ids";
import type { Logger } from "@sluice/shared/runtime/log";
import { sparing } from "@sluice/shared/runtime/sparing-log";
import type { Database } from "@sluice/store/connection/database";
import type { Lease } from "@sluice/store/delivery/deliveries";
import {
  type AilingTarget,
  claimProbe,
  disableFailing,
  disableGone,
  endProbe,
  listAiling,
  writeOpenBreaker,
  type ProbeResult,
  writeTallies,
} from "@sluice/store/delivery/target-health";
import type { Target } from "@sluice/store/configuration/targets";

import { BreakerWindow, openForMs } from "./breaker.ts";
import { HealthTally } from "./health-tally.ts";
import type { LaneBreaker } from "../deliver/lane.ts";
import { type AttemptResult, isGone, isSuccess, isTargetFailure } from "../deliver/outcome.ts";

/** "Seen by all workers within a second." */
const EVERY_MS = 500;
/** A target that got nothing for so long was not failing meanwhile. Above the longest time between two retries. */
const SILENCE_MS = 86_400_000;
/** By each worker that did not open it itself: from then on it sends nothing. */
const SEEN_OPEN = "breaker seen open";

export interface BreakersDependencies {
  db: Database;
  lease: Lease;
  /** Of nothing but failures; Infinity for never. */
  disableAfterMs: number;
  /** Brings the copy of the targets up to date. */
  refreshTargets: () => Promise<void>;
  /** A target's breaker changed, or it may be probed. */
  wake: (targetId: string) => void;
  log: Logger;
}

/** What this worker knows of one target, and what it has still to write. */
interface Watched {
  window: BreakerWindow;
  tally: HealthTally;
  /** As PostgreSQL had it at the last look; undefined where the target was well. */
  shared: AilingTarget | undefined;
  /** Of the probe that this worker has in hand. */
  probe: { openings: number } | undefined;
  isClaiming: boolean;
  /** Any failure since the last look. */
  hasFailed: boolean;
  opening: { openMs: number } | undefined;
  ending: ProbeResult | undefined;
  /** It answered 410, to an attempt that began then. */
  gone: { attemptStartedAt: number } | undefined;
}

export class Breakers {
  readonly #dependencies: BreakersDependencies;
  readonly #watched = new Map<string, Watched>();
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

  /** As the lane of a target sees them. */
  forTarget(targetId: string): LaneBreaker {
    const watched = this.#watch(targetId);
    return {
      gate: () => gateOf(watched),
      limit: (maxInFlight) => watched.window.limit(maxInFlight),
      claimProbe: () => this.#claimProbe(targetId, watched),
      cancelProbe: () => this.#endProbe(watched, { kind: "not_made" }),
      report: (target, result, isProbe) => this.#report(target, watched, result, isProbe),
    };
  }

  isOpen(targetId: string): boolean {
    const watched = this.#watched.get(targetId);
    return watched !== undefined && gateOf(watched) !== "closed";
  }

  /** Resolves when what the others committed before is known here. @throws when PostgreSQL is away. */
  refresh(): Promise<void> {
    return this.#exchanges.next();
  }

  /** Writes what is left, once. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    // Failure policy: open. A probe's lease runs out, and others find out by themselves how a target is.
    await this.refresh().catch((error: unknown) =>
      sparing(this.#dependencies.log).warn({ err: error }, "health not written"),
    );
  }

  #watch(targetId: string): Watched {
    const known = this.#watched.get(targetId);
    if (known !== undefined) return known;
    const watched: Watched = {
      window: new BreakerWindow(),
      tally: new HealthTally(),
      shared: undefined,
      probe: undefined,
      isClaiming: false,
      hasFailed: false,
      opening: undefined,
      ending: undefined,
      gone: undefined,
    };
    this.#watched.set(targetId, watched);
    return watched;
  }

  #report(target: Target, watched: Watched, result: AttemptResult, isProbe: boolean): void {
    const now = performance.now();
    const isFailure = isTargetFailure(result);
    watched.tally.add(isSuccess(result), now);
    watched.hasFailed ||= !isSuccess(result);
    if (isGone(result)) {
      watched.gone = { attemptStartedAt: now - result.durationMs };
      this.#schedule(0);
    }
    const askedMs = result.retryAfterMs ?? 0;
    if (isProbe) {
      const openings = (watched.probe?.openings ?? 0) + 1;
      const openMs = openForMs(openings, target, askedMs, Math.random());
      this.#endProbe(watched, isFailure ? { kind: "opened", openMs } : { kind: "closed" });
    } else if (gateOf(watched) === "closed" && watched.window.add(isFailure, now - result.durationMs, now, askedMs)) {
      watched.opening = { openMs: openForMs(1, target, watched.window.askedMs(now), Math.random()) };
      this.#schedule(0);
    }
  }

  async #claimProbe(targetId: string, watched: Watched): Promise<boolean> {
    const { db, lease } = this.#dependencies;
    watched.isClaiming = true;
    try {
      const openings = await claimProbe(db, targetId, lease);
      if (openings !== undefined) watched.probe = { openings };
      return openings !== undefined;
    } finally {
      watched.isClaiming = false;
      // Until the next look.
      if (watched.shared !== undefined) watched.shared = { ...watched.shared, isProbeDue: false };
    }
  }

  #endProbe(watched: Watched, result: ProbeResult): void {
    watched.ending = result;
    this.#schedule(0);
  }

  #schedule(inMs: number): void {
    clearTimeout(this.#timer);
    if (this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.refresh()
        // Failure policy: open. What is known goes on to hold, and what was not written is written the next time.
        .catch((error: unknown) =>
          sparing(this.#dependencies.log).warn({ err: error }, "health of targets not exchanged"),
        )
        .finally(() => {
          if (this.#timer === undefined) this.#schedule(EVERY_MS);
        });
    }, inMs);
  }

  async #exchange(): Promise<void> {
    for (const [targetId, watched] of this.#watched) {
      if (watched.opening !== undefined) await this.#writeOpening(targetId, watched, watched.opening);
      if (watched.ending !== undefined) await this.#writeEnding(targetId, watched, watched.ending);
      if (watched.gone !== undefined) await this.#disableGone(targetId, watched, watched.gone);
    }
    await this.#writeTallies();
    await this.#disableFailing();
    const { db, disableAfterMs } = this.#dependencies;
    if (!this.#closed) this.#learn(await listAiling(db, disableAfterMs));
  }

  async #writeOpening(targetId: string, watched: Watched, { openMs }: { openMs: number }): Promise<void> {
    const { db, log } = this.#dependencies;
    const wasOpen = isSharedOpen(watched);
    const isOpened = await writeOpenBreaker(db, targetId, openMs);
    watched.opening = undefined;
    // Until the look that follows says so too.
    watched.shared = { targetId, openings: 1, isFailing: true, isFailingTooLong: false, isProbeDue: false };
    if (isOpened) log.warn({ target: formatId("tgt", targetId), open_ms: openMs }, "breaker opened");
    else if (!wasOpen) log.debug({ target: formatId("tgt", targetId) }, SEEN_OPEN);
  }

  async #writeEnding(targetId: string, watched: Watched, result: ProbeResult): Promise<void> {
    const { db, lease, log } = this.#dependencies;
    await endProbe(db, targetId, lease.workerId, result);
    watched.ending = undefined;
    watched.probe = undefined;
    if (result.kind === "closed") log.info({ target: formatId("tgt", targetId) }, "breaker closed");
  }

  async #disableGone(targetId: string, watched: Watched, gone: { attemptStartedAt: number }): Promise<void> {
    const { db, log, refreshTargets } = this.#dependencies;
    const isDisabled = await disableGone(db, targetId, performance.now() - gone.attemptStartedAt);
    // Before the gate opens: the lane must see the new state then.
    await refreshTargets();
    if (watched.gone === gone) watched.gone = undefined;
    if (isDisabled) log.warn({ target: formatId("tgt", targetId) }, "target disabled: it answered 410 Gone");
  }

  async #writeTallies(): Promise<void> {
    const { db, disableAfterMs } = this.#dependencies;
    const now = performance.now();
    const due = [...this.#watched].filter(([, { tally, shared }]) => tally.isDue(now, shared?.isFailing ?? false));
    if (due.length === 0) return;
    const tallies = due.map(([targetId, { tally }]) => tally.read(targetId, now));
    await writeTallies(db, tallies, Math.min(SILENCE_MS, disableAfterMs));
    for (const [, { tally }] of due) tally.written(now);
  }

  /** Only those that an attempt of this worker failed at just now: time alone disables nothing. */
  async #disableFailing(): Promise<void> {
    const { db, disableAfterMs, refreshTargets, log } = this.#dependencies;
    const failed = [...this.#watched].filter(([, { hasFailed, shared }]) => hasFailed && shared?.isFailingTooLong);
    for (const watched of this.#watched.values()) watched.hasFailed = false;
    if (failed.length === 0) return;
    const disabled = await disableFailing(
      db,
      failed.map(([targetId]) => targetId),
      disableAfterMs,
    );
    for (const targetId of disabled) log.warn({ target: formatId("tgt", targetId) }, "target disabled: only failures");
    if (disabled.length > 0) await refreshTargets();
  }

  #learn(ailing: AilingTarget[]): void {
    const { wake, log } = this.#dependencies;
    const byId = new Map(ailing.map((one) => [one.targetId, one]));
    for (const targetId of byId.keys()) this.#watch(targetId);
    for (const [targetId, watched] of this.#watched) {
      const wasOpen = isSharedOpen(watched);
      const wasFailing = watched.shared?.isFailing === true;
      watched.shared = byId.get(targetId);
      if (wasFailing && watched.shared?.isFailing !== true) watched.tally.forgetFailures();
      const isOpen = isSharedOpen(watched);
      if (!wasOpen && isOpen) log.debug({ target: formatId("tgt", targetId) }, SEEN_OPEN);
      if (wasOpen && !isOpen) watched.window.reset(performance.now());
      if (wasOpen !== isOpen || watched.shared?.isProbeDue === true) wake(targetId);
    }
  }
}

const isSharedOpen = ({ shared }: Watched) => shared !== undefined && shared.openings > 0;

function gateOf(watched: Watched): ReturnType<LaneBreaker["gate"]> {
  const { shared, opening, ending, gone, probe, isClaiming } = watched;
  if (gone !== undefined || opening !== undefined) return "open";
  if (!isSharedOpen(watched)) return "closed";
  // The end of one probe, written late, would end the next.
  const hasProbe = probe !== undefined || ending !== undefined || isClaiming;
  return shared?.isProbeDue === true && !hasProbe ? "probe" : "open";
}
