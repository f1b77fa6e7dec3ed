// What PostgreSQL may still have due for one lane: a state machine without a clock or a store. A claim is the only way
// to find out, so the lane keeps what it knows and asks only when there may be something.

export type BacklogState =
  /** The last claim found everything that was due, and nothing became due since. */
  | { kind: "none" }
  /** Something may be due. `count` is what this worker knows of; Infinity after a claim found more than that. */
  | { kind: "due"; count: number }
  /** A claim runs. What became due since it began may be in its result or not. */
  | { kind: "claiming"; countBefore: number; countSince: number; isWoken: boolean }
  /** The last claim failed. The lane waits before the next one. */
  | { kind: "failed"; count: number };

/** What a claim brought: how many deliveries, and whether it stopped at its limit, so that there may be more. */
export interface ClaimedAmount {
  count: number;
  isFull: boolean;
}

export class Backlog {
  #state: BacklogState = { kind: "none" };

  get mayHaveDue(): boolean {
    return this.#state.kind === "due" || (this.#state.kind === "claiming" && this.#state.isWoken);
  }

  get isClaiming(): boolean {
    return this.#state.kind === "claiming";
  }

  /** How many deliveries are due, as far as this worker knows. */
  get knownCount(): number {
    switch (this.#state.kind) {
      case "none":
        return 0;
      case "due":
      case "failed":
        return this.#state.count;
      case "claiming":
        return this.#state.countBefore + this.#state.countSince;
    }
  }

  /** Something may have become due. @param count of deliveries that are certain. */
  noteDue(count: number): void {
    const state = this.#state;
    switch (state.kind) {
      case "none":
        this.#state = { kind: "due", count };
        return;
      case "due":
      case "failed":
        this.#state = { kind: "due", count: state.count + count };
        return;
      case "claiming":
        this.#state = { ...state, countSince: state.countSince + count, isWoken: true };
    }
  }

  /** Other workers are told of what is due, and it is theirs. */
  passOn(): void {
    if (this.#state.kind === "due") this.#state = { kind: "none" };
  }

  /** MUST be followed by `endClaim` or `failClaim`. */
  beginClaim(): void {
    if (this.#state.kind !== "due")
      throw new Error(`A lane claims only what is due; its backlog is ${this.#state.kind}`);
    this.#state = { kind: "claiming", countBefore: this.#state.count, countSince: 0, isWoken: false };
  }

  endClaim({ count, isFull }: ClaimedAmount): void {
    const { countBefore, countSince, isWoken } = this.#claim();
    // A claim that brought more than was known says nothing about how much more there is.
    const rest = countBefore >= count ? countBefore - count : Number.POSITIVE_INFINITY;
    if (isFull) this.#state = { kind: "due", count: rest + countSince };
    else this.#state = isWoken ? { kind: "due", count: countSince } : { kind: "none" };
  }

  failClaim(): void {
    const { countBefore, countSince, isWoken } = this.#claim();
    this.#state = { kind: isWoken ? "due" : "failed", count: countBefore + countSince };
  }

  #claim(): BacklogState & { kind: "claiming" } {
    if (this.#state.kind !== "claiming") throw new Error(`No claim runs; the backlog is ${this.#state.kind}`);
    return this.#state;
  }
}
