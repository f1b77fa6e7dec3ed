// The micro-batch: requests that arrive while an add is in flight, or shortly after one, travel together in the next
// job, and each is answered when its job is durable. Alone, a request travels at once.

import { SluiceError } from "@sluice/shared/runtime/errors";
import type { QueuedEvent } from "@sluice/queue/jobs";

const MAX_BATCH_EVENTS = 100;
const MAX_BATCH_BYTES = 1024 * 1024;
/**
 * Between the starts of two adds, unless a batch is full. At some hundred requests a second each would be a job of its
 * own: what that costs the gateway, Redis and the worker delays the others by more than this.
 */
const SPACING_MS = 3;
/** A full batch does not wait for the one before it, up to this many at once. */
const MAX_UNDER_WAY = 4;
/** What waits is memory that is not durable yet; above this the sender had better come back. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024;
/** A store that hangs is not better in a second. */
const RETRY_AFTER_SECONDS = 5;

/** An event that is not known to be durable. Its promise ends by the first that happens: durable, failed, or too late. */
interface WaitingEvent {
  event: QueuedEvent;
  resolve: () => void;
  reject: (error: unknown) => void;
  /** `performance.now()`. */
  expiresAt: number;
}

export interface BatcherOptions {
  /**
   * From a request's arrival to its answer, whatever the store does. The store's own limit of time is for one
   * add, and a request can arrive behind another.
   */
  deadlineMs: number;
  /** The largest body, before base64. */
  maxBodyBytes: number;
  spacingMs?: number;
}

export class Batcher {
  readonly #add: (events: QueuedEvent[]) => Promise<void>;
  readonly #deadlineMs: number;
  readonly #maxWaitingBytes: number;
  readonly #spacingMs: number;
  #waiting: WaitingEvent[] = [];
  #waitingBytes = 0;
  /** The batches whose events are not known to be durable, by age. */
  readonly #underWay = new Set<WaitingEvent[]>();
  /** One for all: at each event's own, the timers of a busy gateway are a good part of its work. */
  #expiring: NodeJS.Timeout | undefined;
  #lastAddAt = -Infinity;
  #pumping: NodeJS.Timeout | undefined;

  /** @param add resolves when the events are durable. */
  constructor(add: (events: QueuedEvent[]) => Promise<void>, options: BatcherOptions) {
    const { deadlineMs, maxBodyBytes, spacingMs = SPACING_MS } = options;
    this.#add = add;
    this.#deadlineMs = deadlineMs;
    this.#spacingMs = spacingMs;
    // The largest event finds a place beside others: otherwise it never would while there is traffic.
    this.#maxWaitingBytes = Math.max(MAX_WAITING_BYTES, 2 * Math.ceil(maxBodyBytes / 3) * 4);
  }

  /**
   * Resolves when the event is durable.
   * @throws SluiceError `unavailable` when that is not certain; it may be all the same.
   */
  add(event: QueuedEvent): Promise<void> {
    if (this.#waitingBytes + event.body.length > this.#maxWaitingBytes) {
      return Promise.reject(new SluiceError("unavailable", "Too much waits to be stored", { retryAfterSeconds: 1 }));
    }
    return new Promise((resolve, reject) => {
      const waiting = { event, resolve, reject, expiresAt: performance.now() + this.#deadlineMs };
      this.#waiting.push(waiting);
      this.#waitingBytes += event.body.length;
      this.#expiring ??= setTimeout(() => this.#expire(), this.#deadlineMs);
      this.#pump();
    });
  }

  /** Ends the waits that are too long, and comes back for the oldest of the others. */
  #expire(): void {
    this.#expiring = undefined;
    for (const events of [...this.#underWay, this.#waiting]) {
      for (let oldest = events[0]; oldest !== undefined; oldest = events[0]) {
        const inMs = oldest.expiresAt - performance.now();
        if (inMs > 0) {
          this.#expiring = setTimeout(() => this.#expire(), inMs);
          return;
        }
        events.shift();
        if (events === this.#waiting) this.#waitingBytes -= oldest.event.body.length;
        const detail = `The event was not stored within ${this.#deadlineMs} ms`;
        oldest.reject(new SluiceError("unavailable", detail, { retryAfterSeconds: RETRY_AFTER_SECONDS }));
      }
    }
  }

  #pump(): void {
    while (this.#hasFullBatch() && this.#underWay.size < MAX_UNDER_WAY) void this.#send(this.#takeBatch());
    if (this.#waiting.length === 0 && this.#underWay.size === 0) {
      clearTimeout(this.#expiring);
      this.#expiring = undefined;
    }
    if (this.#waiting.length === 0 || this.#underWay.size > 0 || this.#pumping !== undefined) return;
    const inMs = this.#lastAddAt + this.#spacingMs - performance.now();
    if (inMs <= 0) {
      void this.#send(this.#takeBatch());
      return;
    }
    this.#pumping = setTimeout(() => {
      this.#pumping = undefined;
      this.#pump();
    }, inMs);
  }

  #hasFullBatch(): boolean {
    return this.#waiting.length >= MAX_BATCH_EVENTS || this.#waitingBytes >= MAX_BATCH_BYTES;
  }

  /** The oldest requests up to the bounds; one that is above them alone travels alone. */
  #takeBatch(): WaitingEvent[] {
    let bytes = 0;
    let count = 0;
    for (const { event } of this.#waiting) {
      bytes += event.body.length;
      if (count > 0 && (count === MAX_BATCH_EVENTS || bytes > MAX_BATCH_BYTES)) {
        bytes -= event.body.length;
        break;
      }
      count += 1;
    }
    this.#waitingBytes -= bytes;
    return this.#waiting.splice(0, count);
  }

  async #send(batch: WaitingEvent[]): Promise<void> {
    this.#underWay.add(batch);
    this.#lastAddAt = performance.now();
    try {
      await this.#add(batch.map(({ event }) => event));
      for (const { resolve } of batch) resolve();
    } catch (error) {
      for (const { reject } of batch) reject(error);
      if (error instanceof SluiceError && error.code === "unavailable") this.#refuseWaiting(error);
    } finally {
      this.#underWay.delete(batch);
      // Whatever has the batch yet, such as a table that the Set left behind, has none of its requests: decision 20.
      batch.length = 0;
      this.#pump();
    }
  }

  /** Failure policy: closed. What waits would wait for the same store, one limit of time after the other. */
  #refuseWaiting(error: SluiceError): void {
    for (const { reject } of this.#waiting.splice(0)) reject(error);
    this.#waitingBytes = 0;
  }
}
