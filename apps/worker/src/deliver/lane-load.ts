// Counts what a lane has in hand beside the deliveries that wait, and says how much it may have. The pace of its target
// decides: a quick target gets a longer buffer.

import { Pace } from "./pace.ts";

/** A lane holds this many times its concurrency, so that a slot that frees up has work at once. */
const BUFFER_FACTOR = 2;
/** Attempts that ended and are not written yet, in the same measure. Above it the lane waits for PostgreSQL. */
const UNWRITTEN_FACTOR = 4;

/** `limit` is always how many requests at once the target may have now. Times are those of `performance.now()`. */
export class LaneLoad {
  readonly #pace = new Pace();
  #reserved = 0;
  #inFlight = 0;
  /** Attempts that ended and are not written yet. */
  #unwritten = 0;

  get inFlight(): number {
    return this.#inFlight;
  }

  reserve(): void {
    this.#reserved += 1;
  }

  endReservation(): void {
    this.#reserved -= 1;
  }

  beginAttempt(nowMs: number): void {
    if (this.#inFlight === 0) this.#pace.begin(nowMs);
    this.#inFlight += 1;
  }

  endAttempt(durationMs: number, nowMs: number): void {
    this.#inFlight -= 1;
    this.#unwritten += 1;
    this.#pace.add(durationMs, nowMs);
  }

  /** The request was not sent after all. */
  cancelAttempt(): void {
    this.#inFlight -= 1;
  }

  endWrite(): void {
    this.#unwritten -= 1;
  }

  /** Nothing is in flight, reserved or still to be written. */
  get isIdle(): boolean {
    return this.#inFlight === 0 && this.#reserved === 0 && this.#unwritten === 0;
  }

  maySend(limit: number): boolean {
    return this.#inFlight < limit && !this.waitsForWrites(limit);
  }

  /** True when the lane sends nothing until attempts are written. */
  waitsForWrites(limit: number): boolean {
    return this.#unwritten >= limit * UNWRITTEN_FACTOR;
  }

  /** @param waiting deliveries in hand that are not sent yet. */
  countInHand(waiting: number): number {
    return this.#inFlight + waiting + this.#reserved;
  }

  /** How many deliveries the lane may have in hand. @param hasPlenty whether there is enough memory for bodies. */
  capacity(limit: number, hasPlenty: boolean, nowMs: number): number {
    const least = limit * BUFFER_FACTOR;
    // A target that hangs, and large bodies, MUST NOT take the room that all lanes share.
    if (this.isSilent(nowMs) || !hasPlenty) return least;
    return Math.max(least, this.#pace.buffer(limit));
  }

  /** True when requests are in flight and none has finished recently. */
  isSilent(nowMs: number): boolean {
    return this.#inFlight > 0 && this.#pace.isSilent(nowMs);
  }

  /** Whether the target takes so many deliveries soon. */
  isSoonDone(deliveries: number, limit: number): boolean {
    return this.#pace.isSoonDone(deliveries, limit);
  }
}
