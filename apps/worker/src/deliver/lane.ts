// The lane of one target in this worker: what is in hand for it, at most so much at once, and the claim of more
// when there is room. A target that is slow or dead fills its own lane and nothing else; intake waits a moment for one
// that is quick, so that what it stores need not be claimed.

import { newId } from "@sluice/shared/domain/ids";
import type { AttemptRecord, ClaimedDelivery } from "@sluice/store/delivery/deliveries";
import type { Target } from "@sluice/store/configuration/targets";

import type { BodyBudget } from "./body-budget.ts";
import { type AttemptResult, decideOutcome } from "./outcome.ts";
import { Pace } from "./pace.ts";

/** A lane holds this many times its concurrency, so that a slot that frees up has work at once. */
const BUFFER_FACTOR = 2;
/** Attempts that ended and are not written yet, in the same measure: above it the lane waits for PostgreSQL. */
const UNWRITTEN_FACTOR = 4;
/** After a claim that failed, before the next. */
const CLAIM_RETRY_MS = 1_000;

/** The target's circuit breaker. */
export interface LaneBreaker {
  /** While it is `open` nothing is taken in hand; at `probe` a lane with room may claim the one probe. */
  gate: () => "closed" | "open" | "probe";
  /** How many requests at once, of those that the target may have. */
  limit: (maxInFlight: number) => number;
  /** @returns whether this lane has the probe now. It MUST be reported or cancelled. */
  claimProbe: () => Promise<boolean>;
  /** There was nothing to make it with. */
  cancelProbe: () => void;
  report: (target: Target, result: AttemptResult, isProbe: boolean) => void;
}

export interface LaneDependencies {
  /** The target as it is now; undefined once it is deleted. */
  target: () => Target | undefined;
  /** Up to so many deliveries, and of bodies about so many bytes. */
  claim: (limit: number, maxBytes: number) => Promise<ClaimedDelivery[]>;
  /** One delivery, if it is due and in nobody's hands. */
  claimOne: (deliveryId: string) => Promise<ClaimedDelivery | undefined>;
  /** Makes deliveries that were not attempted due for others. */
  handBack: (ids: string[]) => Promise<void>;
  /** @returns whether it was not in hand before. */
  hold: (deliveryId: string) => boolean;
  release: (deliveryId: string) => void;
  breaker: LaneBreaker;
  /** All lanes share it. */
  bodies: BodyBudget;
  send: (target: Target, delivery: ClaimedDelivery, number: number) => Promise<AttemptResult>;
  /** Resolves when it is written; soon, when the lane sends nothing before that. */
  record: (attempt: AttemptRecord, isAwaited: boolean) => Promise<void>;
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
  /** Of that, what is known: Infinity once a claim brought more than was stored here. */
  #due = 0;
  /** Stored while a claim ran, which may have brought it or not. */
  #dueSinceClaim = 0;
  #claiming = false;
  #stopped = false;
  #catchingUp: PromiseWithResolvers<void> | undefined;
  readonly #pace = new Pace();
  #retryTimer: NodeJS.Timeout | undefined;
  #running = 0;
  #idle: PromiseWithResolvers<void> | undefined;

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
    if (this.#dependencies.breaker.gate() !== "closed" || this.#dependencies.bodies.isFull) return false;
    this.#reserved += 1;
    return true;
  }

  cancelReservation(): void {
    this.#reserved -= 1;
    this.#pump();
  }

  /**
   * Resolves when deliveries that are stored now would be taken in hand, or not in a moment any more. Undefined where
   * there is nothing to wait for: they would be at once, or it would take longer.
   */
  catchUp(): Promise<void> | undefined {
    if (!this.#isCatchingUp()) return undefined;
    this.#catchingUp ??= Promise.withResolvers<void>();
    return this.#catchingUp.promise;
  }

  /** Takes a reserved delivery, now stored and leased. */
  accept(delivery: ClaimedDelivery): void {
    this.#reserved -= 1;
    this.#take(delivery);
    this.#pump();
  }

  /** There may be something due. @param stored deliveries just now, for which the lane had no room. */
  wake(stored = 0): void {
    this.#mayHaveDue = true;
    if (this.#claiming) this.#dueSinceClaim += stored;
    else this.#due += stored;
    this.#pump();
  }

  /**
   * Attempts one delivery now, beside what the lane has in hand and whatever the state of the target: who tests a target
   * wants to know what it answers, before it is enabled. @returns false when this worker stops.
   */
  test(deliveryId: string): boolean {
    if (!this.#stopped) this.#track(this.#test(deliveryId));
    return !this.#stopped;
  }

  /** Takes nothing more, and hands back what waits; what runs goes on. */
  refuse(): void {
    this.#stopped = true;
    clearTimeout(this.#retryTimer);
    this.#pump();
  }

  /** Resolves when all attempts that run have ended and been written. */
  async stop(): Promise<void> {
    this.refuse();
    while (this.#running > 0) await (this.#idle ??= Promise.withResolvers<void>()).promise;
  }

  #enabledTarget(): Target | undefined {
    const target = this.#stopped ? undefined : this.#dependencies.target();
    return target?.state === "enabled" ? target : undefined;
  }

  #limit(target: Target): number {
    return this.#dependencies.breaker.limit(target.maxInFlight);
  }

  /** Of which nothing came for a while although something was sent. */
  #isSilent(): boolean {
    return this.#inFlight > 0 && this.#pace.isSilent(performance.now());
  }

  #capacity(target: Target): number {
    const least = this.#limit(target) * BUFFER_FACTOR;
    // A target that hangs, and large bodies, MUST NOT take the room that all lanes share.
    if (this.#isSilent() || !this.#dependencies.bodies.hasPlenty) return least;
    return Math.max(least, this.#pace.buffer(this.#limit(target)));
  }

  #countInHand(): number {
    return this.#inFlight + this.#waiting.length + this.#reserved;
  }

  #room(target: Target): number {
    return this.#capacity(target) - this.#countInHand();
  }

  #isHalfEmpty(target: Target): boolean {
    return this.#countInHand() <= this.#capacity(target) / 2;
  }

  #isCatchingUp(): boolean {
    const target = this.#enabledTarget();
    const { breaker, bodies } = this.#dependencies;
    if (target === undefined || breaker.gate() !== "closed" || bodies.isFull) return false;
    const isBehind = this.#mayHaveDue || this.#claiming || !this.#isHalfEmpty(target);
    if (!isBehind || this.#isSilent()) return false;
    return this.#pace.isSoonDone(this.#countInHand() + this.#due + this.#dueSinceClaim, this.#limit(target));
  }

  #maxUnwritten(target: Target): number {
    return this.#limit(target) * UNWRITTEN_FACTOR;
  }

  #take(delivery: ClaimedDelivery): void {
    const taken = this.#hold(delivery);
    if (taken !== undefined) this.#waiting.push(taken);
  }

  #hold(delivery: ClaimedDelivery): InHand | undefined {
    // A claim can return what is in hand already, when PostgreSQL was away for longer than a lease.
    if (!this.#dependencies.hold(delivery.id)) return undefined;
    this.#dependencies.bodies.take(delivery.body.length);
    return { delivery, takenAt: performance.now() };
  }

  #release(delivery: ClaimedDelivery): void {
    this.#dependencies.release(delivery.id);
    this.#dependencies.bodies.giveBack(delivery.body.length);
  }

  // An arrow function: the budget tells by it that this lane waits already.
  readonly #pump = (): void => {
    this.#work();
    if (this.#catchingUp === undefined || this.#isCatchingUp()) return;
    this.#catchingUp.resolve();
    this.#catchingUp = undefined;
  };

  #work(): void {
    const { breaker, bodies } = this.#dependencies;
    const target = this.#enabledTarget();
    const gate = breaker.gate();
    // What is due stays so while the breaker is open: it takes no slot, no memory and no place in a queue.
    if ((target === undefined || gate !== "closed") && this.#waiting.length > 0) this.#track(this.#handBackWaiting());
    if (target === undefined || gate === "open") return;
    const limit = this.#limit(target);
    if (gate === "probe") {
      if (this.#claiming || this.#inFlight >= limit) return;
      if (bodies.isFull) bodies.onceRoom(this.#pump);
      else this.#track(this.#probe());
      return;
    }
    while (this.#waiting.length > 0 && this.#inFlight < limit && this.#unwritten < this.#maxUnwritten(target)) {
      const next = this.#waiting.shift();
      if (next !== undefined) this.#track(this.#attempt(target, next));
    }
    // Half empty, so that a claim brings many and not one for each that ends.
    if (this.#mayHaveDue && !this.#claiming && this.#isHalfEmpty(target)) {
      if (bodies.isFull) bodies.onceRoom(this.#pump);
      else this.#track(this.#claim(this.#room(target)));
    }
  }

  async #claim(limit: number): Promise<void> {
    this.#claiming = true;
    // Before the claim: what becomes due while it runs wakes the lane again.
    this.#mayHaveDue = false;
    try {
      const { taken, isFull } = await this.#claimUpTo(limit);
      this.#waiting.push(...taken);
      const rest = this.#due >= taken.length ? this.#due - taken.length : Number.POSITIVE_INFINITY;
      this.#due = (isFull ? rest : 0) + this.#dueSinceClaim;
      this.#dueSinceClaim = 0;
      if (isFull) this.#mayHaveDue = true;
      this.#claiming = false;
      this.#pump();
    } catch (error) {
      this.#claiming = false;
      this.#dependencies.onClaimFailed(error);
      clearTimeout(this.#retryTimer);
      if (!this.#stopped) this.#retryTimer = setTimeout(() => this.wake(), CLAIM_RETRY_MS);
    }
  }

  /** @returns what was taken in hand, and whether there may be more. */
  async #claimUpTo(limit: number): Promise<{ taken: InHand[]; isFull: boolean }> {
    const { claim, bodies } = this.#dependencies;
    const maxBytes = bodies.takeForClaim();
    try {
      const claimed = await claim(limit, maxBytes);
      const taken = claimed.map((delivery) => this.#hold(delivery)).filter((one) => one !== undefined);
      const claimedBytes = claimed.reduce((sum, { body }) => sum + body.length, 0);
      return { taken, isFull: claimed.length >= limit || claimedBytes >= maxBytes };
    } finally {
      bodies.giveBack(maxBytes);
    }
  }

  /** One delivery past an open breaker, if no other lane has the probe. */
  async #probe(): Promise<void> {
    this.#claiming = true;
    const { breaker } = this.#dependencies;
    try {
      if (!(await breaker.claimProbe())) return;
      const {
        taken: [probe],
      } = await this.#claimUpTo(1);
      const target = this.#enabledTarget();
      if (probe !== undefined && target !== undefined) {
        this.#track(this.#attempt(target, probe, "probe"));
        return;
      }
      // Paused meanwhile, or another lane has what was due.
      breaker.cancelProbe();
      if (probe !== undefined) this.#waiting.push(probe);
    } catch (error) {
      breaker.cancelProbe();
      this.#dependencies.onClaimFailed(error);
    } finally {
      this.#claiming = false;
      this.#pump();
    }
  }

  async #attempt(
    target: Target,
    { delivery, takenAt }: InHand,
    as: "usual" | "probe" | "test" = "usual",
  ): Promise<void> {
    const { send, record, random, scheduleWakeUp, onAttempt, breaker } = this.#dependencies;
    const number = delivery.attemptCount + 1;
    if (this.#inFlight === 0) this.#pace.begin(performance.now());
    this.#inFlight += 1;
    const result = await send(target, delivery, number);
    this.#inFlight -= 1;
    this.#pace.add(result.durationMs, performance.now());
    this.#unwritten += 1;
    // Before the next is sent: this may be the failure that opens it.
    // A test is not: its target may be known to be broken, and is being repaired.
    if (as !== "test") breaker.report(target, result, as === "probe");
    this.#pump();

    const deadlineInMs = delivery.deadlineInMs - (performance.now() - takenAt);
    const attempt: AttemptRecord = {
      id: newId(),
      deliveryId: delivery.id,
      number,
      trigger: delivery.trigger,
      startedAtMs: result.startedAtMs,
      durationMs: result.durationMs,
      statusCode: result.statusCode,
      error: result.error,
      responseExcerpt: result.responseExcerpt,
      next: decideOutcome(result, delivery.failureCount + 1, deadlineInMs, target, random()),
    };
    onAttempt(target, delivery, attempt);
    await record(attempt, this.#unwritten >= this.#maxUnwritten(target));
    this.#release(delivery);
    this.#unwritten -= 1;
    // Behind an open breaker nothing is to be woken: whoever closes it finds what is due.
    if (attempt.next.status === "pending" && breaker.gate() === "closed") scheduleWakeUp(attempt.next.retryInMs);
    this.#pump();
  }

  async #test(deliveryId: string): Promise<void> {
    const { target, claimOne, onClaimFailed } = this.#dependencies;
    try {
      const current = target();
      // Nothing is claimed that the lane has taken meanwhile.
      const delivery = current === undefined ? undefined : await claimOne(deliveryId);
      const taken = delivery === undefined ? undefined : this.#hold(delivery);
      if (current !== undefined && taken !== undefined) await this.#attempt(current, taken, "test");
    } catch (error) {
      // Failure policy: open. The delivery stays due, and the lane of an enabled target comes to it.
      onClaimFailed(error);
    }
  }

  async #handBackWaiting(): Promise<void> {
    const waiting = this.#waiting.splice(0).map(({ delivery }) => delivery);
    const ids = waiting.map(({ id }) => id);
    if (ids.length === 0) return;
    // Should PostgreSQL be away, their leases run out and the sweep finds them.
    await this.#dependencies.handBack(ids).catch((error: unknown) => this.#dependencies.onClaimFailed(error));
    for (const delivery of waiting) this.#release(delivery);
  }

  /** @param work never rejects. */
  #track(work: Promise<void>): void {
    this.#running += 1;
    void work.then(this.#onEnd);
  }

  readonly #onEnd = (): void => {
    this.#running -= 1;
    if (this.#running > 0) return;
    this.#idle?.resolve();
    this.#idle = undefined;
  };
}
