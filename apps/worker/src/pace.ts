// How fast a target takes what it is sent, by how long its latest attempts took.

/** Of the latest attempt in the mean: some thirty count. */
const WEIGHT = 1 / 32;
/** Of which nothing came for so long, it is not as fast any more as it was. */
const SILENT_MS = 250;

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

  /** Attempts, with so many at once; undefined before the first has ended. */
  perSecond(atOnce: number): number | undefined {
    return this.#meanMs === undefined ? undefined : (atOnce * 1_000) / this.#meanMs;
  }

  /** While something is sent. */
  isSilent(nowMs: number): boolean {
    return nowMs - this.#heardAtMs > SILENT_MS;
  }
}
