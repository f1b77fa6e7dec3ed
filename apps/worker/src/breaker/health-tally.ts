// Counts in memory what the attempts at a target came to since the last write, and says when to write again: at once
// when that changes whether the target is failing, and otherwise once a minute, so that a healthy target costs hardly
// any writes. Pure: times are the caller's, in milliseconds of one clock.

import type { HealthFigures } from "@sluice/store/delivery/target-health";

/** How old `last_success_at` and `last_failure_at` may become in PostgreSQL. */
const EVERY_MS = 60_000;

export class HealthTally {
  #lastSuccess: number | undefined;
  #lastFailure: number | undefined;
  #failingSince: number | undefined;
  #writtenAt = Number.NEGATIVE_INFINITY;

  add(isSuccess: boolean, nowMs: number): void {
    if (isSuccess) {
      this.#lastSuccess = nowMs;
      this.#failingSince = undefined;
    } else {
      this.#lastFailure = nowMs;
      this.#failingSince ??= nowMs;
    }
  }

  /** Whether everything is written. */
  get isEmpty(): boolean {
    return this.#lastSuccess === undefined && this.#lastFailure === undefined && this.#failingSince === undefined;
  }

  /** Whether to write now. @param isKnownFailing whether PostgreSQL has the target as failing. */
  isDue(nowMs: number, isKnownFailing: boolean): boolean {
    if (this.#lastSuccess === undefined && this.#lastFailure === undefined) return false;
    if (nowMs - this.#writtenAt >= EVERY_MS) return true;
    return isKnownFailing ? this.#lastSuccess !== undefined : this.#failingSince !== undefined;
  }

  /** What to write now. */
  read(targetId: string, nowMs: number): HealthFigures {
    const ago = (atMs: number | undefined) => (atMs === undefined ? undefined : nowMs - atMs);
    return {
      targetId,
      lastSuccessMs: ago(this.#lastSuccess),
      lastFailureMs: ago(this.#lastFailure),
      failingForMs: ago(this.#failingSince),
    };
  }

  /**
   * PostgreSQL says that the target is not failing. An older failure that is not written yet must not make it fail
   * again.
   */
  forgetFailures(): void {
    this.#lastFailure = undefined;
    this.#failingSince = undefined;
  }

  /** What `read` returned at that time is written. What was added since stays. */
  written(readAtMs: number): void {
    this.#writtenAt = readAtMs;
    const rest = (atMs: number | undefined) => (atMs !== undefined && atMs > readAtMs ? atMs : undefined);
    this.#lastSuccess = rest(this.#lastSuccess);
    this.#lastFailure = rest(this.#lastFailure);
    this.#failingSince = rest(this.#failingSince);
  }
}
