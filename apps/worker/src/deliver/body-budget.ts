// Bounds the memory that bodies take in this worker, over all lanes. Each lane bounds the number of its deliveries,
// which says nothing about their size. Above the limit nothing more is claimed, but a single body of any size always
// is.

/** For all lanes together. */
const LIMIT_BYTES = 64 * 1024 * 1024;
/** Set apart for one claim while it runs. It is a fraction of the limit, so that several lanes can claim at once. */
const CLAIM_BYTES = 8 * 1024 * 1024;

export class BodyBudget {
  readonly #limitBytes: number;
  #usedBytes = 0;
  /** The lanes that wait for room, in the order in which they asked. */
  readonly #waiting = new Set<() => void>();

  constructor(limitBytes = LIMIT_BYTES) {
    this.#limitBytes = limitBytes;
  }

  /** Whether a lane may hold more than the least it needs. */
  get hasPlenty(): boolean {
    return this.#usedBytes < this.#limitBytes / 2;
  }

  get isFull(): boolean {
    return this.#usedBytes >= this.#limitBytes;
  }

  /** Takes the bytes that a claim may bring, at least one. They MUST be given back when the claim has ended. */
  takeForClaim(): number {
    const bytes = Math.max(1, Math.min(CLAIM_BYTES, this.#limitBytes - this.#usedBytes));
    this.take(bytes);
    return bytes;
  }

  take(bytes: number): void {
    this.#usedBytes += bytes;
  }

  giveBack(bytes: number): void {
    this.#usedBytes -= bytes;
    // One after the other, because each of them may take what is free.
    for (const resume of this.#waiting) {
      if (this.isFull) return;
      this.#waiting.delete(resume);
      resume();
    }
  }

  /**
   * Calls back once, when the budget is no longer full. That always comes, because only bodies in hand fill the budget.
   */
  onceRoom(resume: () => void): void {
    this.#waiting.add(resume);
  }
}
