// What the limits of its target allow a lane, of which other workers have their shares: how many requests at once, when
// the next one may be sent, and how much the lane may hold.

import { type Rate, RatePacer, roomFor } from "./rate-pacer.ts";
import type { LaneShares, SharedLimits } from "./shares.ts";

/** The limits of a target. */
export interface TargetLimits extends SharedLimits {
  rateLimitSeconds: number | null;
}

export class LaneLimits {
  readonly #shares: LaneShares;
  readonly #pacer = new RatePacer();

  constructor(shares: LaneShares) {
    this.#shares = shares;
  }

  /** How many requests at once this worker may send; 0 when others send to this target. */
  atOnce(target: TargetLimits): number {
    return this.#shares.requests(target) === 0 ? 0 : this.#shares.maxInFlight(target);
  }

  /**
   * How many milliseconds the lane has to wait before it sends the next request. Infinity when the lane is called once
   * it may go on.
   */
  waitMs(target: TargetLimits, nowMs: number): number {
    if (!this.#shares.isConfirmed()) return Number.POSITIVE_INFINITY;
    const rate = this.#rateOf(target);
    if (rate === undefined) return 0;
    this.#pacer.noteOther(this.#shares.changedAtMs);
    return this.#pacer.waitMs(rate, nowMs);
  }

  /** A request is sent. */
  take(target: TargetLimits, nowMs: number): void {
    const rate = this.#rateOf(target);
    if (rate !== undefined) this.#pacer.take(rate, nowMs);
  }

  /**
   * How many deliveries may wait in the lane for their rate, beside those in flight: what others could send meanwhile
   * is theirs to claim. Undefined without a rate limit.
   */
  room(target: TargetLimits): number | undefined {
    const rate = this.#rateOf(target);
    return rate === undefined ? undefined : roomFor(rate);
  }

  /** This worker's share of the rate limit; undefined without a limit, and when others send. */
  #rateOf(target: TargetLimits): Rate | undefined {
    if (target.rateLimitSeconds === null) return undefined;
    const requests = this.#shares.requests(target);
    return requests === undefined || requests === 0 ? undefined : { requests, perMs: target.rateLimitSeconds * 1_000 };
  }
}
