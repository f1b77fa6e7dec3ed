// What the latest attempts at one target came to, while its circuit breaker is closed: whether they open the breaker,
// and how many requests a target gets that has just come back. Pure: the clock is the caller's.

/** Attempts that ended within this time are counted together. */
const WINDOW_MS = 30_000;
const BUCKET_MS = 3_000;
/** Fewer attempts than this say nothing about a target. */
const MIN_ATTEMPTS = 10;
const FAILURE_RATE = 0.5;
/** So many failures in a row open the breaker at any pace: a target that hangs ends few attempts within a window. */
const MAX_FAILURES_IN_A_ROW = 10;
/** How many requests at once a target gets right after its breaker closed. */
const RAMP_START = 2;

interface Bucket {
  startMs: number;
  attempts: number;
  failures: number;
}

/** How many requests at once the target may have. */
type Ramp =
  /** As many as `max_in_flight` says. */
  | { kind: "full" }
  /** Its breaker closed a while ago: {@link RAMP_START}, and one more for each success since. */
  | { kind: "ramping"; successes: number };

/** An attempt that ended at `nowMs`. All times are in milliseconds of one clock. */
export interface EndedAttempt {
  isFailure: boolean;
  startedAtMs: number;
  nowMs: number;
  /** The target's `Retry-After`; 0 without one. */
  askedMs: number;
  /** The target's own limit of requests at once. */
  maxInFlight: number;
}

export class AttemptWindow {
  #buckets: Bucket[] = [];
  #failuresInARow = 0;
  #sinceMs = Number.NEGATIVE_INFINITY;
  #ramp: Ramp = { kind: "full" };
  #askedUntilMs = Number.NEGATIVE_INFINITY;

  /**
   * Counts an attempt. An attempt that began before the last reset is ignored. @returns whether the breaker must open.
   */
  add({ isFailure, startedAtMs, nowMs, askedMs, maxInFlight }: EndedAttempt): boolean {
    if (startedAtMs < this.#sinceMs) return false;
    if (!isFailure) this.#widen(maxInFlight);
    this.#failuresInARow = isFailure ? this.#failuresInARow + 1 : 0;
    if (isFailure) this.#askedUntilMs = Math.max(this.#askedUntilMs, nowMs + askedMs);
    const bucket = this.#bucketAt(nowMs);
    bucket.attempts += 1;
    if (isFailure) bucket.failures += 1;
    // Only a failure opens the breaker: a success after a bad minute must not.
    return isFailure && (this.#isBad() || this.#failuresInARow >= MAX_FAILURES_IN_A_ROW);
  }

  /** The longest time from now that the target still asks for. */
  askedMs(nowMs: number): number {
    return Math.max(0, this.#askedUntilMs - nowMs);
  }

  /** The breaker closed: counting begins anew, and the target gets few requests at first. */
  reset(nowMs: number): void {
    this.#buckets = [];
    this.#failuresInARow = 0;
    this.#askedUntilMs = Number.NEGATIVE_INFINITY;
    this.#sinceMs = nowMs;
    this.#ramp = { kind: "ramping", successes: 0 };
  }

  /** How many requests at once the target may have now. Each success adds one, which doubles them with each round. */
  limit(maxInFlight: number): number {
    return this.#ramp.kind === "full" ? maxInFlight : Math.min(maxInFlight, RAMP_START + this.#ramp.successes);
  }

  #widen(maxInFlight: number): void {
    if (this.#ramp.kind === "full") return;
    const successes = this.#ramp.successes + 1;
    this.#ramp = RAMP_START + successes >= maxInFlight ? { kind: "full" } : { kind: "ramping", successes };
  }

  #isBad(): boolean {
    const attempts = this.#buckets.reduce((sum, bucket) => sum + bucket.attempts, 0);
    const failures = this.#buckets.reduce((sum, bucket) => sum + bucket.failures, 0);
    return attempts >= MIN_ATTEMPTS && failures >= attempts * FAILURE_RATE;
  }

  #bucketAt(nowMs: number): Bucket {
    this.#buckets = this.#buckets.filter(({ startMs }) => startMs > nowMs - WINDOW_MS);
    const last = this.#buckets.at(-1);
    if (last !== undefined && nowMs < last.startMs + BUCKET_MS) return last;
    const bucket = { startMs: nowMs, attempts: 0, failures: 0 };
    this.#buckets.push(bucket);
    return bucket;
  }
}
