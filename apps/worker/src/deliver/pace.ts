// How fast a target takes what it is sent, by how long its latest attempts took, and what a lane makes of that.

/** Of the latest attempt in the mean: some thirty count. */
const WEIGHT = 1 / 32;
/** Of which nothing came for so long, it is not as fast any more as it was. */
const SILENT_MS = 250;
/** Quick is a target that answers within this time: what it takes in BUFFER_SECONDS is a lane's usual buffer, or more. */
const QUICK_MS = 125;
/** What a target takes in so many seconds is in its lane's hands at most, and of that… */
const BUFFER_SECONDS = 0.25;
/** …so many: a worker that dies delays them. */
const MAX_BUFFER = 1_000;
/** More than a target takes in so many seconds is not done in a moment. */
const MOMENT_SECONDS = 1;

export class Pace {
  #meanMs: number | undefined;
  #heardAtMs = 0;

  /** A target that had nothing to answer has something now. Times are of `performance.now()`. */
  begin(nowMs: number): void {
    this.#heardAtMs = nowMs;
  }

  add(durationMs: number, nowMs: number): void {
    this.#meanMs = this.#meanMs === undefined ? durationMs : this.#meanMs + (durationMs - this.#meanMs) * WEIGHT;
    this.#heardAtMs = nowMs;
  }

  /** While something is sent. */
  isSilent(nowMs: number): boolean {
    return nowMs - this.#heardAtMs > SILENT_MS;
  }

  /** How many deliveries are worth having in hand, of which so many are sent at once; 0 before the first has ended. */
  buffer(atOnce: number): number {
    return this.#meanMs === undefined ? 0 : Math.floor(Math.min(this.#perSecond(atOnce) * BUFFER_SECONDS, MAX_BUFFER));
  }

  /** Whether so many deliveries are done in a moment. Before anything is known of a target, it is taken for a quick one. */
  isSoonDone(deliveries: number, atOnce: number): boolean {
    const isQuick = (this.#meanMs ?? 0) <= QUICK_MS;
    return isQuick && deliveries < this.#perSecond(atOnce) * MOMENT_SECONDS;
  }

  #perSecond(atOnce: number): number {
    return (atOnce * 1_000) / (this.#meanMs ?? 0);
  }
}
