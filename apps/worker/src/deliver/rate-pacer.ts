// When a lane may send the next request under a rate limit: requests are spread evenly, so that no stretch of time has
// more of them than the limit says. Pure: the clock is the caller's.

/**
 * How much earlier a request may be sent. Timers come late, and without it each lateness would be lost. A tenth of the
 * limit's time at most, so that the rate is kept within a tenth.
 */
const EARLY_MS = 100;

/** This worker's share of a rate limit: so many requests, at least one, in so many milliseconds. */
export interface Rate {
  requests: number;
  perMs: number;
}

/** All times are those of `performance.now()`. */
export class RatePacer {
  /** When the last request was sent, or should have been. */
  #lastMs = Number.NEGATIVE_INFINITY;

  /** How long to wait until the next request may be sent; 0 when it may be sent now. */
  waitMs(rate: Rate, nowMs: number): number {
    return Math.max(0, this.#lastMs + spacingOf(rate) - Math.min(EARLY_MS, rate.perMs / 10) - nowMs);
  }

  /** A request is sent. */
  take(rate: Rate, nowMs: number): void {
    this.#lastMs = Math.max(nowMs, this.#lastMs + spacingOf(rate));
  }

  /** Another worker may have sent a request at this time. */
  noteOther(atMs: number): void {
    this.#lastMs = Math.max(this.#lastMs, atMs);
  }
}

/** How many deliveries are worth holding: what is sent in a second, at least one. */
export const roomFor = ({ requests, perMs }: Rate): number => Math.max(1, Math.ceil((requests * 1_000) / perMs));

const spacingOf = ({ requests, perMs }: Rate): number => perMs / requests;
