// The circuit breaker of one target, as this worker sees it: a state machine without a clock, dice or a store.
// ARCHITECTURE.md draws it.
//
// Two things have states. PostgreSQL says for all workers whether the breaker is open: `shared`. And this worker may be
// about to change that: `own`. Each transition is a method, and one that cannot happen throws.

import type { ProbeResult } from "@sluice/store/delivery/target-health";

import { AttemptWindow, type EndedAttempt } from "./attempt-window.ts";

/** `closed`: send. `open`: take nothing in hand. `probe`: one lane may claim the one probe. */
export type Gate = "closed" | "open" | "probe";

/** The right to send one delivery past the open breaker. A later probe is another object. */
export interface Probe {
  /** How many times in a row the breaker has opened. */
  readonly openings: number;
}

/** What PostgreSQL said at the last look. */
export type SharedState = { kind: "closed" } | { kind: "open"; openings: number; isProbeDue: boolean };

/** What this worker is about to change. */
type OwnState =
  | { kind: "idle" }
  /** Attempts of this worker opened the breaker, and PostgreSQL does not know yet. */
  | { kind: "opening"; openMs: number }
  /** PostgreSQL is being asked for the probe. */
  | { kind: "claiming" }
  | { kind: "probing"; probe: Probe }
  /** The probe has ended, and PostgreSQL does not know yet. */
  | { kind: "ending"; result: ProbeResult };

/** The longest time between two probes, because a target that is back should not wait for one. */
const MAX_OPEN_MS = 60_000;
/** The longest `Retry-After` that keeps a breaker open: one answer must not silence a target for a day. */
const MAX_ASKED_MS = 300_000;

export interface OpenSettings {
  retryBaseSeconds: number;
  retryCapSeconds: number;
}

/**
 * For how many milliseconds the breaker stays open: base·2^(openings−1), at most the cap and a minute, and of that
 * between a half and the whole. At least what the target asked for, up to five minutes.
 * @param openings in a row, including this one: from 1.
 * @param askedMs the target's `Retry-After`; 0 without one.
 * @param random from [0, 1).
 */
export function openForMs(
  openings: number,
  { retryBaseSeconds, retryCapSeconds }: OpenSettings,
  askedMs: number,
  random: number,
): number {
  const longestMs = Math.min(retryCapSeconds * 1000, MAX_OPEN_MS);
  const ceilingMs = Math.min(retryBaseSeconds * 1000 * 2 ** Math.min(openings - 1, 60), longestMs);
  return Math.round(Math.max(ceilingMs * (0.5 + random / 2), Math.min(askedMs, MAX_ASKED_MS)));
}

export class TargetBreaker {
  #shared: SharedState = { kind: "closed" };
  #own: OwnState = { kind: "idle" };
  readonly #window = new AttemptWindow();

  get shared(): SharedState {
    return this.#shared;
  }

  /** What PostgreSQL has still to be told. */
  get unwritten(): (OwnState & { kind: "opening" | "ending" }) | undefined {
    return this.#own.kind === "opening" || this.#own.kind === "ending" ? this.#own : undefined;
  }

  gate(): Gate {
    if (this.#own.kind === "opening") return "open";
    if (this.#shared.kind === "closed") return "closed";
    // A second probe must not begin while the end of the first is not written: that end would end the second one too.
    return this.#shared.isProbeDue && this.#own.kind === "idle" ? "probe" : "open";
  }

  limit(maxInFlight: number): number {
    return this.#window.limit(maxInFlight);
  }

  /** The longest time from now that the target still asks for. */
  askedMs(nowMs: number): number {
    return this.#window.askedMs(nowMs);
  }

  /** Counts an attempt that was no probe. @returns whether the breaker must open: `open` MUST follow. */
  countAttempt(attempt: EndedAttempt): boolean {
    if (this.#shared.kind === "open" || this.#own.kind !== "idle") return false;
    return this.#window.add(attempt);
  }

  get mayOpen(): boolean {
    return this.#shared.kind === "closed" && this.#own.kind === "idle";
  }

  /** MUST be called only while it {@link mayOpen}. */
  open(openMs: number): void {
    this.#expect("idle", "closed");
    this.#own = { kind: "opening", openMs };
  }

  openingWritten(): void {
    this.#expect("opening");
    this.#own = { kind: "idle" };
    // The look that follows says the same.
    this.#shared = { kind: "open", openings: 1, isProbeDue: false };
  }

  beginClaim(): void {
    this.#expect("idle", "open");
    this.#own = { kind: "claiming" };
  }

  /** @param openings undefined when another worker has the probe. @returns undefined when there is nothing to probe. */
  claimed(openings: number | undefined): Probe | undefined {
    this.#expect("claiming");
    this.#probeIsTaken();
    if (openings === undefined) {
      this.#own = { kind: "idle" };
      return undefined;
    }
    if (this.#shared.kind === "closed") {
      // The breaker was closed while PostgreSQL was asked, so the probe is of no use. PostgreSQL may still have it as
      // this worker's, so its end is written.
      this.#own = { kind: "ending", result: { kind: "not_made" } };
      return undefined;
    }
    const probe = { openings };
    this.#own = { kind: "probing", probe };
    return probe;
  }

  /** PostgreSQL may have given the probe to this worker or not. Its end is written in case it did. */
  claimFailed(): void {
    this.#expect("claiming");
    this.#probeIsTaken();
    this.#own = { kind: "ending", result: { kind: "not_made" } };
  }

  /** @returns false when the breaker was closed meanwhile, so that the probe is of no account any more. */
  endProbe(probe: Probe, result: ProbeResult): boolean {
    if (this.#own.kind !== "probing" || this.#own.probe !== probe) return false;
    this.#own = { kind: "ending", result };
    return true;
  }

  probeEndWritten(): void {
    this.#expect("ending");
    this.#own = { kind: "idle" };
  }

  /** Takes over what PostgreSQL says. A breaker that closed makes a probe of this worker void. */
  learn(shared: SharedState, nowMs: number): void {
    const hasClosed = this.#shared.kind === "open" && shared.kind === "closed";
    this.#shared = shared;
    if (!hasClosed) return;
    this.#window.reset(nowMs);
    if (this.#own.kind === "probing" || this.#own.kind === "ending") this.#own = { kind: "idle" };
  }

  /** Until the next look, so that this worker does not ask for the same probe again and again. */
  #probeIsTaken(): void {
    if (this.#shared.kind === "open") this.#shared = { ...this.#shared, isProbeDue: false };
  }

  #expect(own: OwnState["kind"], shared: SharedState["kind"] = this.#shared.kind): void {
    if (this.#own.kind === own && this.#shared.kind === shared) return;
    const state = `${this.#own.kind} (${this.#shared.kind} in PostgreSQL)`;
    throw new Error(`A transition of a breaker from ${own} (${shared} in PostgreSQL) came while it was ${state}`);
  }
}
