// How fast a target answers, measured by its latest attempts, and how much of its work a lane should therefore hold.

/** The weight of the latest attempt in the mean: some thirty attempts count. */
const WEIGHT = 1 / 32;
/** A target that answered nothing for so long, although requests are in flight, is no longer as fast as it was. */
const SILENT_MS = 250;
/** A target that answers within this time is quick. */
const QUICK_MS = 125;
/** A lane holds at most what its target takes in this time… */
const BUFFER_SECONDS = 0.25;
/** …and at most so many deliveries, because a worker that dies delays them. */
const MAX_BUFFER = 1_000;
/** A lane is soon done when its target takes all of its work in this time. */
const SOON_SECONDS = 1;

/** All times are those of `performance.now()`. */
export class Pace {
  #meanMs: number | undefined;
  #heardAtMs = 0;

  /** The first request after a pause is sent. */
  begin(nowMs: number): void {
    this.#heardAtMs = nowMs;
  }

  add(durationMs: number, nowMs: number): void {
    this.#meanMs = this.#meanMs === undefined ? durationMs : this.#meanMs + (durationMs - this.#meanMs) * WEIGHT;
    this.#heardAtMs = nowMs;
  }

  /** True when no request has finished recently. Call it only while requests are in flight. */
  isSilent(nowMs: number): boolean {
    return nowMs - this.#heardAtMs > SILENT_MS;
  }

  /**
   * How many deliveries are worth holding for a target that gets `atOnce` requests at once; 0 before the first answer.
   */
  buffer(atOnce: number): number {
    return this.#meanMs === undefined ? 0 : Math.floor(Math.min(this.#perSecond(atOnce) * BUFFER_SECONDS, MAX_BUFFER));
  }

  /** Whether the target takes so many deliveries soon. A target that has not answered yet counts as quick. */
  isSoonDone(deliveries: number, atOnce: number): boolean {
    const isQuick = (this.#meanMs ?? 0) <= QUICK_MS;
    return isQuick && deliveries < this.#perSecond(atOnce) * SOON_SECONDS;
  }

  #perSecond(atOnce: number): number {
    return (atOnce * 1_000) / (this.#meanMs ?? 0);
  }
}
