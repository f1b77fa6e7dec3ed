// The bodies that this worker holds in memory, over all lanes: their number is bounded by lane, which says nothing of
// their size. Above the limit nothing more is claimed; a single body of any size is.

/** Of all lanes together. */
const LIMIT_BYTES = 64 * 1024 * 1024;
/** Of one claim, set apart while it runs: a fraction, so that several lanes claim at once. */
const CLAIM_BYTES = 8 * 1024 * 1024;

export class BodyBudget {
  readonly #limitBytes: number;
  #usedBytes = 0;
  /** In the order in which they came. */
  readonly #waiting = new Set<() => void>();

  constructor(limitBytes = LIMIT_BYTES) {
    this.#limitBytes = limitBytes;
  }

  /** Whether a lane may hold more than it must. */
  get hasPlenty(): boolean {
    return this.#usedBytes < this.#limitBytes / 2;
  }

  get isFull(): boolean {
    return this.#usedBytes >= this.#limitBytes;
  }

  /** What a claim may bring, at least one byte. MUST be given back when it has ended. */
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
    // One after the other: each may take what is free.
    for (const resume of this.#waiting) {
      if (this.isFull) return;
      this.#waiting.delete(resume);
      resume();
    }
  }

  /** Calls once when it is full no more. It is full of bodies in hand, so that this comes. */
  onceRoom(resume: () => void): void {
    this.#waiting.add(resume);
  }
}
