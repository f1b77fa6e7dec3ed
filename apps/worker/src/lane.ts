// The lane of one target in this worker: what is in hand for it, at most so much at once, and the claim of more
// when there is room. A target that is slow or dead fills its own lane and nothing else.

import { newId } from "@sluice/shared/ids";
import type { ClaimedDelivery } from "@sluice/shared/store/deliveries";
import type { Target } from "@sluice/shared/store/targets";

import { type AttemptResult, decideOutcome } from "./outcome.ts";
import type { AttemptRecord } from "@sluice/shared/store/deliveries";

/** A lane holds this many times its concurrency, so that a slot that frees up has work at once. */
const BUFFER_FACTOR = 2;
/** Attempts that ended and are not written yet, in the same measure: above it the lane waits for PostgreSQL. */
const UNWRITTEN_FACTOR = 4;
/** After a claim that failed, before the next. */
const CLAIM_RETRY_MS = 1_000;

export interface LaneDependencies {
  /** The target as it is now; undefined once it is deleted. */
  target: () => Target | undefined;
  claim: (limit: number) => Promise<ClaimedDelivery[]>;
  /** Makes deliveries that were not attempted due for others. */
  handBack: (ids: string[]) => Promise<void>;
  /** @returns whether it was not in hand before. */
  hold: (deliveryId: string) => boolean;
  release: (deliveryId: string) => void;
  send: (target: Target, delivery: ClaimedDelivery, number: number) => Promise<AttemptResult>;
  /** Resolves when it is written. */
  record: (attempt: AttemptRecord) => Promise<void>;
  /** Called when an attempt was written and its delivery is due again later. */
  scheduleWakeUp: (inMs: number) => void;
  random: () => number;
  onAttempt: (target: Target, delivery: ClaimedDelivery, attempt: AttemptRecord) => void;
  onClaimFailed: (error: unknown) => void;
}

interface InHand {
  delivery: ClaimedDelivery;
  takenAt: number;
}

export class Lane {
  readonly #dependencies: LaneDependencies;
  #waiting: InHand[] = [];
  #inFlight = 0;
  #unwritten = 0;
  #reserved = 0;
  /** Whether PostgreSQL may have more that is due. */
  #mayHaveDue = false;
  #claiming = false;
  #stopped = false;
  #retryTimer: NodeJS.Timeout | undefined;
  readonly #running = new Set<Promise<void>>();

  constructor(dependencies: LaneDependencies) {
    this.#dependencies = dependencies;
  }

  /**
   * Whether a delivery that is about to be stored may be taken in hand at once. Not while older ones are due:
   * they come first. What is reserved MUST be followed by `accept` or `cancelReservation`.
   */
  reserve(): boolean {
    const target = this.#enabledTarget();
    if (target === undefined || this.#mayHaveDue || this.#room(target) < 1) return false;
    this.#reserved += 1;
    return true;
  }

  cancelReservation(): void {
    this.#reserved -= 1;
  }

  /** Takes a reserved delivery, now stored and leased. */
  accept(delivery: ClaimedDelivery): void {
    this.#reserved -= 1;
    this.#take(delivery);
    this.#pump();
  }

  /** There may be something due. */
  wake(): void {
    this.#mayHaveDue = true;
    this.#pump();
  }

  /** Stops taking; resolves when all attempts that run have ended and been written. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#retryTimer);
    await this.#handBackWaiting();
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  #enabledTarget(): Target | undefined {
    const target = this.#stopped ? undefined : this.#dependencies.target();
    return target?.state === "enabled" ? target : undefined;
  }

  #room(target: Target): number {
    return target.maxInFlight * BUFFER_FACTOR - this.#inFlight - this.#waiting.length - this.#reserved;
  }

  #take(delivery: ClaimedDelivery): void {
    // A claim can return what is in hand already, when PostgreSQL was away for longer than a lease.
    if (this.#dependencies.hold(delivery.id)) this.#waiting.push({ delivery, takenAt: performance.now() });
  }

  #pump(): void {
    const target = this.#enabledTarget();
    if (target === undefined) {
      if (this.#waiting.length > 0) this.#track(this.#handBackWaiting());
      return;
    }
    while (
      this.#waiting.length > 0 &&
      this.#inFlight < target.maxInFlight &&
      this.#unwritten < target.maxInFlight * UNWRITTEN_FACTOR
    ) {
      const next = this.#waiting.shift();
      if (next !== undefined) this.#track(this.#attempt(target, next));
    }
    // Half empty, so that a claim brings many and not one for each that ends.
    if (this.#mayHaveDue && !this.#claiming && this.#room(target) >= target.maxInFlight * BUFFER_FACTOR * 0.5) {
      this.#track(this.#claim(this.#room(target)));
    }
  }

  async #claim(limit: number): Promise<void> {
    this.#claiming = true;
    // Before the claim: what becomes due while it runs wakes the lane again.
    this.#mayHaveDue = false;
    try {
      const claimed = await this.#dependencies.claim(limit);
      for (const delivery of claimed) this.#take(delivery);
      if (claimed.length >= limit) this.#mayHaveDue = true;
      this.#claiming = false;
      this.#pump();
    } catch (error) {
      this.#claiming = false;
      this.#dependencies.onClaimFailed(error);
      clearTimeout(this.#retryTimer);
      if (!this.#stopped) this.#retryTimer = setTimeout(() => this.wake(), CLAIM_RETRY_MS);
    }
  }

  async #attempt(target: Target, { delivery, takenAt }: InHand): Promise<void> {
    const { send, record, release, random, scheduleWakeUp, onAttempt } = this.#dependencies;
    const number = delivery.attemptCount + 1;
    this.#inFlight += 1;
    const result = await send(target, delivery, number);
    this.#inFlight -= 1;
    this.#unwritten += 1;
    this.#pump();

    const deadlineInMs = delivery.deadlineInMs - (performance.now() - takenAt);
    const { retryAfterMs: _, ...logged } = result;
    const attempt: AttemptRecord = {
      id: newId(),
      deliveryId: delivery.id,
      number,
      trigger: delivery.trigger,
      ...logged,
      next: decideOutcome(result, number, deadlineInMs, target, random()),
    };
    onAttempt(target, delivery, attempt);
    await record(attempt);
    release(delivery.id);
    this.#unwritten -= 1;
    if (attempt.next.status === "pending") scheduleWakeUp(attempt.next.retryInMs);
    this.#pump();
  }

  async #handBackWaiting(): Promise<void> {
    const ids = this.#waiting.splice(0).map(({ delivery }) => delivery.id);
    if (ids.length === 0) return;
    // Should PostgreSQL be away, their leases run out and the sweep finds them.
    await this.#dependencies.handBack(ids).catch((error: unknown) => this.#dependencies.onClaimFailed(error));
    for (const id of ids) this.#dependencies.release(id);
  }

  #track(work: Promise<void>): void {
    this.#running.add(work);
    void work.finally(() => this.#running.delete(work));
  }
}
