// The lane of one target in this worker: what is in hand for the target, how much of it is sent at once, and the claim
// of more when there is room. A target that is slow or dead fills its own lane and nothing else.

import { formatId } from "@sluice/shared/domain/ids";
import { sparing } from "@sluice/shared/runtime/sparing-log";
import type { Target } from "@sluice/store/configuration/targets";
import type { ClaimedDelivery } from "@sluice/store/delivery/deliveries";

import type { Probe } from "../breaker/breaker.ts";
import type { LaneBreaker } from "../breaker/breakers.ts";
import { logAttempt, makeAttemptRecord } from "@sluice/attempt/attempt-record";
import { beginAttemptTrace } from "@sluice/attempt/attempt-trace";
import { Backlog } from "./backlog.ts";
import type { InHand } from "./claims.ts";
import type { LaneDependencies } from "./lane-dependencies.ts";
import { LaneLimits } from "./lane-limits.ts";
import { LaneLoad } from "./lane-load.ts";
import { type LaneMode, laneMode } from "./lane-mode.ts";
import { Reservation, type ReservationHolder } from "./reservation.ts";
import { UnderWay } from "./under-way.ts";

/** After a claim that failed, before the next. */
const CLAIM_RETRY_MS = 1_000;

/** Why a delivery is sent: in its turn, as the one probe of an open breaker, or because somebody tests the target. */
type Purpose = { kind: "turn" } | { kind: "probe"; probe: Probe } | { kind: "test" };

const IN_TURN: Purpose = { kind: "turn" };
const AS_TEST: Purpose = { kind: "test" };

export class Lane implements ReservationHolder {
  readonly #targetId: string;
  readonly #breaker: LaneBreaker;
  readonly #dependencies: LaneDependencies;
  readonly #limits: LaneLimits;
  readonly #load = new LaneLoad();
  readonly #backlog = new Backlog();
  readonly #underWay = new UnderWay();
  #waiting: InHand[] = [];
  #isProbing = false;
  #isStopping = false;
  /** Whether other workers were told of what is due, because this one had no share. */
  #hasPassedOn = false;
  #catchingUp: PromiseWithResolvers<void> | undefined;
  #retryTimer: NodeJS.Timeout | undefined;
  #rateTimer: NodeJS.Timeout | undefined;

  constructor(targetId: string, breaker: LaneBreaker, dependencies: LaneDependencies) {
    this.#targetId = targetId;
    this.#breaker = breaker;
    this.#dependencies = dependencies;
    this.#limits = new LaneLimits(dependencies.shares);
  }

  /**
   * Room for a delivery that is about to be stored, so that it is sent without a claim. The reservation MUST be
   * accepted or cancelled.
   * @returns undefined when there is no room, or while older deliveries are due: those come first.
   */
  reserve(): Reservation | undefined {
    const mode = this.#mode();
    if (mode.kind !== "sending" || this.#backlog.mayHaveDue || this.#dependencies.bodies.isFull) return undefined;
    if (this.#countInHand() >= this.#capacity(mode.target)) return undefined;
    this.#load.reserve();
    return new Reservation(this);
  }

  /** For {@link Reservation} alone. */
  takeReserved(delivery: ClaimedDelivery): void {
    this.#load.endReservation();
    const taken = this.#dependencies.claims.hold(delivery);
    if (taken !== undefined) this.#waiting.push(taken);
    this.#pump();
  }

  /** For {@link Reservation} alone. */
  freeReserved(): void {
    this.#load.endReservation();
    this.#pump();
  }

  /** Something may be due. @param stored deliveries that were stored just now, and for which the lane had no room. */
  wake(stored = 0): void {
    this.#backlog.noteDue(stored);
    this.#pump();
  }

  /** This worker's shares have changed. */
  sharesChanged(): void {
    // Those to whom it was left may be gone, and it is unknown whether they sent it.
    if (this.#hasPassedOn && this.#hasShare()) {
      this.#hasPassedOn = false;
      this.#backlog.noteDue(0);
    }
    this.#pump();
  }

  /** Whether more is in flight than this worker's share: a share that became smaller, or a test. */
  get isOver(): boolean {
    if (this.#load.inFlight === 0) return false;
    const target = this.#dependencies.findTarget(this.#targetId);
    return target !== undefined && this.#load.inFlight > this.#limits.atOnce(target);
  }

  get inFlight(): number {
    return this.#load.inFlight;
  }

  /**
   * Whether more is due than this worker may send, so that the other workers are to be told. A lane without a share
   * says so once, because it never finds out when the others have sent it.
   */
  passOnDue(): boolean {
    if (!this.#backlog.mayHaveDue || this.#mode().kind !== "sending") return false;
    if (!this.#hasShare()) {
      this.#backlog.passOn();
      this.#hasPassedOn = true;
    }
    return true;
  }

  /** Wakes the lane when it has a share: another worker has more than it may send. */
  wakeForShare(): void {
    if (this.#hasShare()) this.wake();
  }

  #hasShare(): boolean {
    const target = this.#dependencies.findTarget(this.#targetId);
    return target !== undefined && this.#limits.atOnce(target) > 0;
  }

  /**
   * Sends one delivery now, beside what the lane has in hand and whatever the state of its target: a target is tested
   * before it is enabled. @returns false when this worker stops.
   */
  sendTest(deliveryId: string): boolean {
    if (this.#isStopping) return false;
    this.#underWay.track(this.#claimAndTest(deliveryId));
    return true;
  }

  /**
   * Resolves when the lane would take what is stored now in hand at once, or when that is no longer soon. Undefined
   * when there is nothing to wait for: it would do so now, or it would take longer.
   */
  catchUp(): Promise<void> | undefined {
    if (!this.#isCatchingUp()) return undefined;
    this.#catchingUp ??= Promise.withResolvers<void>();
    return this.#catchingUp.promise;
  }

  /** Whether the lane has nothing in hand and nothing under way. */
  get isIdle(): boolean {
    return this.#underWay.isIdle && this.#load.isIdle && this.#waiting.length === 0 && this.#catchingUp === undefined;
  }

  /** Takes nothing more, and hands back what waits. What is being sent goes on. */
  refuse(): void {
    this.#isStopping = true;
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#rateTimer);
    this.#pump();
  }

  /** Resolves when every attempt has ended and is written. */
  async stop(): Promise<void> {
    this.refuse();
    await this.#underWay.end();
  }

  #mode(): LaneMode {
    return laneMode(this.#isStopping, this.#dependencies.findTarget(this.#targetId), this.#breaker.gate);
  }

  // An arrow function, because the budget recognizes by its identity that this lane waits already.
  readonly #pump = (): void => {
    this.#work();
    if (this.#catchingUp === undefined || this.#isCatchingUp()) return;
    this.#catchingUp.resolve();
    this.#catchingUp = undefined;
  };

  #work(): void {
    const mode = this.#mode();
    switch (mode.kind) {
      case "sending":
        if (this.#limits.atOnce(mode.target) === 0) this.#leaveToOthers();
        else {
          this.#sendWaiting(mode.target);
          this.#claimMore(mode.target);
        }
        return;
      case "probing":
        this.#handBackWaiting();
        this.#startProbe(mode.target);
        return;
      case "blocked":
      case "closed":
      case "stopping":
        this.#handBackWaiting();
    }
  }

  #sendWaiting(target: Target): void {
    const { slots } = this.#dependencies;
    // The slot comes last: a lane that has one sends.
    const maySend = () =>
      this.#load.maySend(this.#limit(target)) && this.#isInTime(target) && slots.tryTake(this.#pump);
    while (this.#waiting.length > 0 && maySend()) {
      const next = this.#waiting.shift();
      if (next !== undefined) this.#underWay.track(this.#attempt(target, next, IN_TURN));
    }
  }

  /** Whether the next request may be sent now. Otherwise the lane works again when it may. */
  #isInTime(target: Target): boolean {
    const waitMs = this.#limits.waitMs(target, performance.now());
    if (waitMs === 0) return true;
    clearTimeout(this.#rateTimer);
    if (waitMs < Number.POSITIVE_INFINITY) this.#rateTimer = setTimeout(this.#pump, Math.ceil(waitMs));
    return false;
  }

  /** The shares of other workers are the whole limit: they are told of what this one has. */
  #leaveToOthers(): void {
    if (this.#waiting.length === 0) return;
    this.#backlog.noteDue(this.#waiting.length);
    this.#handBackWaiting();
  }

  /** Sends a delivery, for which a slot is taken, writes what came of it, and lets the next one have its place. */
  async #attempt(target: Target, inHand: InHand, purpose: Purpose): Promise<void> {
    const { claims, slots, sender, recorder, wakeUps, meter, random, tracing, log } = this.#dependencies;
    const { delivery, takenAt } = inHand;
    if (purpose.kind !== "test") this.#limits.take(target, performance.now());
    this.#load.beginAttempt(performance.now());
    const trace = beginAttemptTrace(tracing, target, delivery);
    const result = await sender.send(target, delivery, trace.context);
    if ("ownFault" in result) {
      this.#handBackUnsent(inHand, purpose, result.ownFault);
      return;
    }
    this.#load.endAttempt(result.durationMs, performance.now());
    // MUST come before the next is sent: this may be the failure that opens the breaker. A test is not reported,
    // because its target may be known to be broken and is being repaired.
    if (purpose.kind !== "test")
      this.#breaker.report(target, result, purpose.kind === "probe" ? purpose.probe : undefined);
    slots.giveBack();
    this.#pump();

    const deadlineInMs = delivery.deadlineInMs - (performance.now() - takenAt);
    const attempt = makeAttemptRecord({
      target,
      delivery,
      trace: trace.context,
      result,
      deadlineInMs,
      random: random(),
    });
    trace.end(attempt, result);
    logAttempt(log, delivery, attempt);
    if (purpose.kind !== "test") meter.countAttempt(delivery, result);
    await recorder.record(attempt, this.#load.waitsForWrites(this.#limit(target)));
    claims.release(inHand);
    this.#load.endWrite();
    // Behind an open breaker nothing is to be woken: whoever closes it finds what is due.
    if (attempt.next.status === "pending" && this.#breaker.gate() === "closed") {
      wakeUps.schedule(this.#targetId, attempt.next.retryInMs);
    }
    this.#pump();
  }

  /**
   * This worker had no descriptor, port or memory for the request. That is no attempt, and says nothing about the
   * target. The delivery is due again: another worker may send it now, and this one after a pause.
   */
  #handBackUnsent(inHand: InHand, purpose: Purpose, error: unknown): void {
    const { slots, onOwnFault } = this.#dependencies;
    slots.giveBackUnsent();
    this.#load.cancelAttempt();
    onOwnFault(error);
    if (purpose.kind === "probe") this.#breaker.cancelProbe(purpose.probe);
    this.#handBack([inHand]);
    this.wake(1);
  }

  #claimMore(target: Target): void {
    const { bodies, slots } = this.#dependencies;
    if (!this.#backlog.mayHaveDue || this.#backlog.isClaiming || this.#isProbing) return;
    // A lane that is half empty claims many at once. A fuller one would claim one for each that ends.
    if (!this.#isHalfEmpty(target)) return;
    if (!slots.isOpen) slots.onceOpen(this.#pump);
    else if (bodies.isFull) bodies.onceRoom(this.#pump);
    else this.#underWay.track(this.#claim(this.#capacity(target) - this.#countInHand()));
  }

  async #claim(limit: number): Promise<void> {
    this.#backlog.beginClaim();
    try {
      const { taken, isFull } = await this.#dependencies.claims.claimUpTo(this.#targetId, limit);
      this.#waiting.push(...taken);
      this.#backlog.endClaim({ count: taken.length, isFull });
    } catch (error) {
      this.#backlog.failClaim();
      this.#logClaimFailed(error);
      clearTimeout(this.#retryTimer);
      if (!this.#isStopping) this.#retryTimer = setTimeout(() => this.wake(), CLAIM_RETRY_MS);
      return;
    }
    this.#pump();
  }

  #startProbe(target: Target): void {
    const { bodies, slots } = this.#dependencies;
    if (this.#isProbing || this.#backlog.isClaiming || this.#load.inFlight >= this.#limit(target)) return;
    if (!this.#isInTime(target)) return;
    if (bodies.isFull) bodies.onceRoom(this.#pump);
    else if (slots.tryTake(this.#pump)) this.#underWay.track(this.#probe());
  }

  /** Sends one delivery past the open breaker, for which a slot is taken, unless another worker has the probe. */
  async #probe(): Promise<void> {
    this.#isProbing = true;
    let isSent = false;
    try {
      const probe = await this.#breaker.claimProbe();
      isSent = probe !== undefined && (await this.#sendProbe(probe));
    } catch (error) {
      this.#logClaimFailed(error);
    } finally {
      if (!isSent) this.#dependencies.slots.giveBack();
      this.#isProbing = false;
      this.#pump();
    }
  }

  /** @returns whether the delivery is being sent. */
  async #sendProbe(probe: Probe): Promise<boolean> {
    const { claims, findTarget } = this.#dependencies;
    let inHand: InHand | undefined;
    try {
      [inHand] = (await claims.claimUpTo(this.#targetId, 1)).taken;
    } catch (error) {
      this.#breaker.cancelProbe(probe);
      throw error;
    }
    const target = findTarget(this.#targetId);
    if (inHand !== undefined && target?.state === "enabled" && !this.#isStopping) {
      this.#underWay.track(this.#attempt(target, inHand, { kind: "probe", probe }));
      return true;
    }
    // The target was paused meanwhile, or another worker has what was due.
    this.#breaker.cancelProbe(probe);
    if (inHand !== undefined) this.#waiting.push(inHand);
    return false;
  }

  async #claimAndTest(deliveryId: string): Promise<void> {
    const { findTarget, claims, slots } = this.#dependencies;
    try {
      const target = findTarget(this.#targetId);
      const inHand = target && (await claims.claimOne(deliveryId));
      if (target === undefined || inHand === undefined) return;
      // A person waits for it.
      slots.take();
      await this.#attempt(target, inHand, AS_TEST);
    } catch (error) {
      // Failure policy: open. The delivery stays due, and the lane of an enabled target comes to it.
      this.#logClaimFailed(error);
    }
  }

  #handBackWaiting(): void {
    if (this.#waiting.length > 0) this.#handBack(this.#waiting.splice(0));
  }

  #handBack(inHand: readonly InHand[]): void {
    // Failure policy: open. When PostgreSQL is away, the leases run out and the sweep finds the deliveries.
    const handedBack = this.#dependencies.claims.handBack(inHand);
    this.#underWay.track(handedBack.catch((error: unknown) => this.#logClaimFailed(error)));
  }

  /** How many requests at once the target may have now from this worker. */
  #limit(target: Target): number {
    return this.#breaker.limit(this.#limits.atOnce(target));
  }

  #countInHand(): number {
    return this.#load.countInHand(this.#waiting.length);
  }

  /** How many deliveries the lane may have in hand. */
  #capacity(target: Target): number {
    const { hasPlenty } = this.#dependencies.bodies;
    const capacity = this.#load.capacity(this.#limit(target), hasPlenty, performance.now());
    const room = this.#limits.room(target);
    return room === undefined ? capacity : Math.min(capacity, this.#load.inFlight + room);
  }

  #isHalfEmpty(target: Target): boolean {
    // Under a rate limit the room is for what waits. Slow requests in flight must not take it.
    const apart = this.#limits.room(target) === undefined ? 0 : this.#load.inFlight;
    return this.#countInHand() - apart <= (this.#capacity(target) - apart) / 2;
  }

  #isCatchingUp(): boolean {
    const mode = this.#mode();
    if (mode.kind !== "sending" || this.#dependencies.bodies.isFull) return false;
    const { target } = mode;
    // A lane that waits for its rate is not soon done, however quick its target is.
    if (target.rateLimitRequests !== null) return false;
    const isBehind = this.#backlog.mayHaveDue || this.#backlog.isClaiming || !this.#isHalfEmpty(target);
    if (!isBehind || this.#load.isSilent(performance.now())) return false;
    return this.#load.isSoonDone(this.#countInHand() + this.#backlog.knownCount, this.#limit(target));
  }

  #logClaimFailed(error: unknown): void {
    // Every lane would say so every second while PostgreSQL is away.
    sparing(this.#dependencies.log).warn({ err: error, target: formatId("tgt", this.#targetId) }, "nothing claimed");
  }
}
