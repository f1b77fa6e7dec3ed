// Delivers events: to the addresses that a job names, or else to the registered webhooks that subscribed. Retries what
// failed for 24 hours, and keeps a record of everything that was sent and answered.

import type { SimulatorClock } from "../clock.ts";
import type { Seeded } from "../seeded.ts";
import type { RegisteredWebhook, RegisteredWebhooks } from "../state/registered-webhooks.ts";
import type { DeliveryFault, DeliveryFaults } from "./delivery-faults.ts";
import type { DynamicKeys, DynamicScheme } from "./dynamic-keys.ts";
import type { Payload } from "./payload.ts";
import type { Poster, PostResult } from "./poster.ts";
import { retryDelayMs, type RetrySchedule } from "./retry-schedule.ts";
import { signDynamic, signStatic } from "./sign-request.ts";

export interface DeliverySettings {
  scheme: DynamicScheme;
  retry: RetrySchedule;
  /**
   * What `webhook-timestamp` follows. `real` suits a receiver whose clock does not move with the simulator's; with
   * `clock` a receiver sees what is old or in the future.
   */
  timestamps: "real" | "clock";
  /** Whether a retry has a fresh timestamp, or that of the first attempt. Google does not say. */
  retryTimestamps: "fresh" | "first";
}

export interface OutgoingEvent {
  payload: Payload;
  /** The name of the job, or the id of the webhook that is pinged. */
  subject: string;
  fault: DeliveryFault | undefined;
}

interface SimulatedAttempt {
  /** By the simulator's clock. */
  atMs: number;
  result: PostResult;
  /** The receiver answered, and the simulator behaves as if it had not. */
  isAnswerLost: boolean;
}

export interface SimulatedDelivery {
  webhookId: string;
  type: string;
  subject: string;
  /** A registered webhook by its id, or an address that a job named. */
  destination: { kind: "registered"; id: string } | { kind: "dynamic"; uri: string };
  payload: Payload;
  /** The payload as a text: all attempts send the same bytes. */
  body: string;
  fault: DeliveryFault | undefined;
  /** `dropped`: the webhook was disabled or deleted meanwhile. `never`: a fault. `held`: until the next event. */
  state: "waiting" | "held" | "succeeded" | "failed" | "dropped" | "never";
  attempts: SimulatedAttempt[];
  /** When the first attempt began, by the simulator's clock. */
  firstAttemptMs: number | undefined;
  /** The `webhook-timestamp` of the first attempt, seconds since 1970. */
  firstTimestamp: number | undefined;
}

export interface DeliveryParts {
  clock: SimulatorClock;
  seeded: Seeded;
  webhooks: RegisteredWebhooks;
  faults: DeliveryFaults;
  keys: DynamicKeys;
  poster: Poster;
}

export class SimulatedDeliveries {
  readonly #parts: DeliveryParts;
  readonly #settings: DeliverySettings;
  readonly #all: SimulatedDelivery[] = [];
  /** By their addresses. */
  readonly #held = new Map<string, SimulatedDelivery[]>();
  #events = 0;

  constructor(parts: DeliveryParts, settings: DeliverySettings) {
    this.#parts = parts;
    this.#settings = settings;
  }

  /** Everything that was to be sent, in the order of the events. */
  list(): readonly SimulatedDelivery[] {
    return this.#all;
  }

  /** How many deliveries are neither finished nor given up. */
  countUnfinished(): number {
    return this.#all.filter(({ state }) => state === "waiting" || state === "held").length;
  }

  sendToUris(uris: readonly string[], event: OutgoingEvent): void {
    this.#send(
      uris.map((uri) => ({ kind: "dynamic", uri })),
      event,
    );
  }

  sendToRegistered(webhooks: readonly RegisteredWebhook[], event: OutgoingEvent): void {
    this.#send(
      webhooks.map(({ id }) => ({ kind: "registered", id })),
      event,
    );
  }

  /** Sends what the fault `out_of_order` holds back. */
  releaseHeld(): void {
    for (const address of this.#held.keys()) this.#releaseHeldFor(address);
  }

  #send(destinations: SimulatedDelivery["destination"][], { payload, subject, fault: given }: OutgoingEvent): void {
    const { seeded, faults } = this.#parts;
    this.#events += 1;
    const fault = given ?? faults.draw({ type: payload.type, subject });
    const webhookId = `msg_${seeded.uuid("event", this.#events)}`;
    const body = JSON.stringify(payload);
    for (const destination of destinations) {
      const delivery: SimulatedDelivery = {
        webhookId,
        type: payload.type,
        subject,
        destination,
        payload,
        body,
        fault,
        state: "waiting",
        attempts: [],
        firstAttemptMs: undefined,
        firstTimestamp: undefined,
      };
      this.#all.push(delivery);
      this.#schedule(delivery);
    }
  }

  #schedule(delivery: SimulatedDelivery): void {
    const { clock } = this.#parts;
    const { fault } = delivery;
    const nowMs = clock.nowMs();
    const send = () => this.#attempt(delivery);
    const address = addressOf(delivery);
    switch (fault?.kind) {
      case "never":
        delivery.state = "never";
        return;
      case "out_of_order":
        delivery.state = "held";
        this.#held.set(address, [...(this.#held.get(address) ?? []), delivery]);
        return;
      case "late":
        clock.schedule(nowMs + fault.delayMs, send);
        return;
      case "duplicate":
        clock.schedule(nowMs, send);
        for (let copy = 1; copy <= (fault.copies ?? 1); copy++)
          clock.schedule(nowMs + copy * (fault.delayMs ?? 0), () => this.#sendCopy(delivery));
        return;
      case "lost_answer":
      case undefined:
        clock.schedule(nowMs, send);
        return;
      default:
        fault satisfies never;
    }
  }

  async #attempt(delivery: SimulatedDelivery): Promise<void> {
    const { clock, seeded, webhooks } = this.#parts;
    const { horizonMs } = this.#settings.retry;
    const webhook = this.#webhookOf(delivery);
    if (!this.#canSend(delivery)) {
      delivery.state = "dropped";
      return;
    }
    const isFirst = delivery.firstAttemptMs === undefined;
    delivery.firstAttemptMs ??= clock.nowMs();
    const result = await this.#post(delivery);
    const isAnswerLost = isFirst && delivery.fault?.kind === "lost_answer" && result.kind === "answered";
    delivery.attempts.push({ atMs: clock.nowMs(), result, isAnswerLost });
    if (isFirst) this.#releaseHeldFor(addressOf(delivery));
    if (isTaken(result) && !isAnswerLost) {
      delivery.state = "succeeded";
      if (webhook !== undefined) webhooks.recordSuccess(webhook);
      return;
    }
    const attempts = delivery.attempts.length;
    const share = seeded.share("retry", delivery.webhookId, addressOf(delivery), attempts);
    const nextMs = clock.nowMs() + retryDelayMs(this.#settings.retry, attempts, share);
    if (nextMs <= delivery.firstAttemptMs + horizonMs) {
      clock.schedule(nextMs, () => this.#attempt(delivery));
      return;
    }
    delivery.state = "failed";
    if (webhook !== undefined) webhooks.recordFailure(webhook);
  }

  /** A copy is sent once, whatever is answered. */
  async #sendCopy(delivery: SimulatedDelivery): Promise<void> {
    if (!this.#canSend(delivery)) return;
    const result = await this.#post(delivery);
    delivery.attempts.push({ atMs: this.#parts.clock.nowMs(), result, isAnswerLost: false });
  }

  async #post(delivery: SimulatedDelivery): Promise<PostResult> {
    const { webhooks, keys, poster } = this.#parts;
    const { webhookId, body, payload } = delivery;
    const request = { webhookId, timestamp: this.#timestampOf(delivery), body };
    if (delivery.destination.kind === "dynamic") {
      const { uri } = delivery.destination;
      const { scheme } = this.#settings;
      return poster.post(uri, await signDynamic(request, { keys, scheme, uri, payload }), body);
    }
    const webhook = this.#webhookOf(delivery);
    if (webhook === undefined) return { kind: "failed", reason: "the webhook was deleted" };
    return poster.post(webhook.uri, signStatic(request, webhooks.secretsOf(webhook)), body);
  }

  #timestampOf(delivery: SimulatedDelivery): number {
    const nowMs = this.#settings.timestamps === "real" ? Date.now() : this.#parts.clock.nowMs();
    const timestamp = Math.floor(nowMs / 1000);
    delivery.firstTimestamp ??= timestamp;
    return this.#settings.retryTimestamps === "first" ? delivery.firstTimestamp : timestamp;
  }

  #canSend(delivery: SimulatedDelivery): boolean {
    return delivery.destination.kind === "dynamic" || this.#webhookOf(delivery)?.state === "enabled";
  }

  #webhookOf({ destination }: SimulatedDelivery): RegisteredWebhook | undefined {
    return destination.kind === "registered" ? this.#parts.webhooks.find(destination.id) : undefined;
  }

  #releaseHeldFor(address: string): void {
    const { clock } = this.#parts;
    const held = this.#held.get(address) ?? [];
    this.#held.delete(address);
    for (const delivery of held) {
      delivery.state = "waiting";
      clock.schedule(clock.nowMs(), () => this.#attempt(delivery));
    }
  }
}

const isTaken = (result: PostResult) => result.kind === "answered" && result.status >= 200 && result.status < 300;

const addressOf = ({ destination }: SimulatedDelivery) =>
  destination.kind === "registered" ? destination.id : destination.uri;
