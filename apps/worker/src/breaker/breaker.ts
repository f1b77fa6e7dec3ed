// The circuit breaker of one target in one worker: when what its attempts came to says that the target is down, and
// for how long it is left alone. Pure: the clock and the dice are the caller's.

/** Attempts that ended in so much time are counted together. */
const WINDOW_MS = 30_000;
const BUCKET_MS = 3_000;
/** Fewer attempts say nothing of a target. */
const MIN_ATTEMPTS = 10;
const FAILURE_RATE = 0.5;
/** So many in a row open it however slowly they came: a target that hangs makes few attempts in a window. */
const MAX_FAILURES_IN_A_ROW = 10;
/** Not longer between two probes: a target that is back must not wait for them. */
const MAX_OPEN_MS = 60_000;
/** What a target asks for with `Retry-After` is kept up to here: one answer must not silence it for a day. */
const MAX_ASKED_MS = 300_000;

export interface OpenSettings {
  retryBaseSeconds: number;
  retryCapSeconds: number;
}

/**
 * Milliseconds for which the breaker stays open: base·2^(openings−1), at most the cap and a minute, of which between
 * a half and the whole. At least what the target asked for, up to five minutes.
 * @param openings in a row, this one included: from 1.
 * @param askedMs the target's `Retry-After`.
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

interface Bucket {
  startMs: number;
  attempts: number;
  failures: number;
}

/** What the attempts of the last while came to, while the breaker is closed. */
export class BreakerWindow {
  #buckets: Bucket[] = [];
  #failuresInARow = 0;
  #sinceMs = Number.NEGATIVE_INFINITY;
  /** Since the breaker closed; undefined once the target may have all its requests again. */
  #ramp: number | undefined;
  #askedUntilMs = Number.NEGATIVE_INFINITY;

  /**
   * Counts an attempt. One that began before the breaker last changed says nothing any more.
   * @param askedMs the target's `Retry-After`, with a failure.
   * @returns whether the breaker is to open.
   */
  add(isFailure: boolean, startedAtMs: number, nowMs: number, askedMs = 0): boolean {
    if (startedAtMs < this.#sinceMs) return false;
    if (this.#ramp !== undefined && !isFailure) this.#ramp += 1;
    this.#failuresInARow = isFailure ? this.#failuresInARow + 1 : 0;
    if (isFailure) this.#askedUntilMs = Math.max(this.#askedUntilMs, nowMs + askedMs);
    const bucket = this.#bucketOf(nowMs);
    bucket.attempts += 1;
    if (isFailure) bucket.failures += 1;
    // Only a failure opens it: what comes after a bad minute, and succeeds, must not.
    return isFailure && (this.#isBad() || this.#failuresInARow >= MAX_FAILURES_IN_A_ROW);
  }

  /** The longest that the target asked for and that is not over. */
  askedMs(nowMs: number): number {
    return Math.max(0, this.#askedUntilMs - nowMs);
  }

  /** Begins anew, with the breaker closed. */
  reset(nowMs: number): void {
    this.#buckets = [];
    this.#failuresInARow = 0;
    this.#askedUntilMs = Number.NEGATIVE_INFINITY;
    this.#sinceMs = nowMs;
    this.#ramp = 0;
  }

  /**
   * How many requests at once, of those that the target may have: after it was down two, and one more with each that
   * succeeds, which doubles them with each round.
   */
  limit(maxInFlight: number): number {
    if (this.#ramp === undefined) return maxInFlight;
    if (this.#ramp + 2 >= maxInFlight) this.#ramp = undefined;
    return Math.min(maxInFlight, (this.#ramp ?? maxInFlight) + 2);
  }

  #isBad(): boolean {
    const attempts = this.#buckets.reduce((sum, bucket) => sum + bucket.attempts, 0);
    const failures = this.#buckets.reduce((sum, bucket) => sum + bucket.failures, 0);
    return attempts >= MIN_ATTEMPTS && failures >= attempts * FAILURE_RATE;
  }

  #bucketOf(nowMs: number): Bucket {
    this.#buckets = this.#buckets.filter(({ startMs }) => startMs > nowMs - WINDOW_MS);
    const last = this.#buckets.at(-1);
    if (last !== undefined && nowMs < last.startMs + BUCKET_MS) return last;
    const bucket = { startMs: nowMs, attempts: 0, failures: 0 };
    this.#buckets.push(bucket);
    return bucket;
  }
}
