// The micro-batch: events that arrive while the queue is taking a job, or shortly after, travel together in the next
// job. Each request is answered when the job of its event is durable. A single event does not wait for others.

import type { QueuedEvent } from "@sluice/queue/jobs";
import { SluiceError } from "@sluice/shared/runtime/errors";

const MAX_BATCH_EVENTS = 100;
const MAX_BATCH_BYTES = 1024 * 1024;
/**
 * The time between the starts of two batches, unless a batch is full. Without it, each of some hundred requests a
 * second would be a job of its own. The work for these jobs in the gateway, Redis and the worker would delay other
 * requests by more than this time.
 */
const SPACING_MS = 3;
/** A full batch does not wait for the batches before it, until so many are under way at once. */
const MAX_UNDER_WAY = 4;
/** Waiting events are in memory and not durable yet. Above this limit it is better that the sender comes back. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024;
const FULL_RETRY_AFTER_SECONDS = 1;
const LATE_TOGETHER_MS = 5;
/** A store that hangs does not recover within a second. */
const LATE_RETRY_AFTER_SECONDS = 5;

/**
 * An event whose request has no answer yet. The event waits for a batch, then its batch is under way. The first of
 * three things settles its promise: the batch is durable, the batch fails, or the deadline passes.
 */
interface UnansweredEvent {
  event: QueuedEvent;
  resolve: () => void;
  reject: (error: unknown) => void;
  /** `performance.now()` at which the event is answered with 503. */
  lateAt: number;
}

export interface BatcherOptions {
  /**
   * The time from the arrival of a request to its answer, whatever the store does. The limit of the store is for one
   * job, and an event can arrive while another job is under way.
   */
  deadlineMs: number;
  /** The largest body, before base64. */
  maxBodyBytes: number;
  spacingMs?: number;
}

export class Batcher {
  readonly #addIntakeJob: (events: QueuedEvent[]) => Promise<void>;
  readonly #deadlineMs: number;
  readonly #maxWaitingBytes: number;
  readonly #spacingMs: number;
  /** The events that are not in a batch yet, the oldest first. */
  #waiting: UnansweredEvent[] = [];
  /** The size of the bodies in `#waiting`, in base64. */
  #waitingBytes = 0;
  /** The batches that are not durable yet, the oldest first. */
  readonly #underWay = new Set<UnansweredEvent[]>();
  /**
   * Fires when the first unanswered event is late. One timer serves all events: a timer for each event cost a
   * twentieth of the rate of ingest (0.37 to 0.41 of the no-op server with them, 0.41 to 0.46 with one, 2 cores, Node
   * 24.21).
   */
  #deadline: NodeJS.Timeout | undefined;
  /** When it fires, as `performance.now()`; Infinity without a timer. */
  #deadlineAt = Infinity;
  #lastBatchAt = -Infinity;
  /** Runs while waiting events may not start a batch yet, because the last batch started too recently. */
  #spacing: NodeJS.Timeout | undefined;

  /** @param addIntakeJob resolves when the events are durable. */
  constructor(addIntakeJob: (events: QueuedEvent[]) => Promise<void>, options: BatcherOptions) {
    const { deadlineMs, maxBodyBytes, spacingMs = SPACING_MS } = options;
    this.#addIntakeJob = addIntakeJob;
    this.#deadlineMs = deadlineMs;
    this.#spacingMs = spacingMs;
    // Room for two of the largest events. Otherwise the largest event would never fit in while there is traffic.
    this.#maxWaitingBytes = Math.max(MAX_WAITING_BYTES, 2 * base64Length(maxBodyBytes));
  }

  /**
   * Resolves when the event is durable.
   * @param arrivedAt `performance.now()` when the request of the event arrived, from which its deadline counts.
   * @throws SluiceError `unavailable` when that is not certain. The event may be durable all the same.
   */
  add(event: QueuedEvent, arrivedAt = performance.now()): Promise<void> {
    const lateAt = arrivedAt + this.#deadlineMs;
    // The checks before took all of its time. A job that nobody waits for would only be a repeat later.
    if (lateAt <= performance.now()) return Promise.reject(this.#lateError());
    if (this.#waitingBytes + event.body.length > this.#maxWaitingBytes) {
      const detail = "Too many events wait to be stored; the sender should retry";
      return Promise.reject(new SluiceError("unavailable", detail, { retryAfterSeconds: FULL_RETRY_AFTER_SECONDS }));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ event, resolve, reject, lateAt });
      this.#waitingBytes += event.body.length;
      this.#setDeadline(lateAt);
      this.#startBatches();
    });
  }

  /** Starts the batches that may start now. A later call starts the others: at the end of a batch or of the spacing. */
  #startBatches(): void {
    while (this.#hasFullBatch() && this.#underWay.size < MAX_UNDER_WAY) void this.#send(this.#takeBatch());
    if (this.#waiting.length === 0 && this.#underWay.size === 0) this.#endDeadline();
    if (this.#waiting.length === 0 || this.#underWay.size > 0 || this.#spacing !== undefined) return;
    const spacingLeftMs = this.#lastBatchAt + this.#spacingMs - performance.now();
    if (spacingLeftMs <= 0) {
      void this.#send(this.#takeBatch());
      return;
    }
    this.#spacing = setTimeout(() => {
      this.#spacing = undefined;
      this.#startBatches();
    }, spacingLeftMs);
  }

  #hasFullBatch(): boolean {
    return this.#waiting.length >= MAX_BATCH_EVENTS || this.#waitingBytes >= MAX_BATCH_BYTES;
  }

  /** Removes the oldest waiting events up to the limits of a batch. An event above the limits travels alone. */
  #takeBatch(): UnansweredEvent[] {
    let bytes = 0;
    let count = 0;
    for (const { event } of this.#waiting) {
      const withNext = bytes + event.body.length;
      if (count > 0 && (count === MAX_BATCH_EVENTS || withNext > MAX_BATCH_BYTES)) break;
      bytes = withNext;
      count += 1;
    }
    this.#waitingBytes -= bytes;
    return this.#waiting.splice(0, count);
  }

  async #send(batch: UnansweredEvent[]): Promise<void> {
    this.#underWay.add(batch);
    this.#lastBatchAt = performance.now();
    try {
      await this.#addIntakeJob(batch.map(({ event }) => event));
      for (const { resolve } of batch) resolve();
    } catch (error) {
      for (const { reject } of batch) reject(error);
      if (error instanceof SluiceError && error.code === "unavailable") this.#refuseWaiting(error);
    } finally {
      this.#underWay.delete(batch);
      // A Set keeps old tables that still refer to the batch: decision 20. So the batch itself lets go of its events.
      batch.length = 0;
      this.#startBatches();
    }
  }

  /**
   * Failure policy: closed. The waiting events would only wait for the same store, one limit of time after the other.
   */
  #refuseWaiting(error: SluiceError): void {
    for (const { reject } of this.#waiting.splice(0)) reject(error);
    this.#waitingBytes = 0;
  }

  /** Answers the events that are late, and sets the timer for the next one. A batch under way goes on. */
  #answerLate(): void {
    this.#endDeadline();
    const nowMs = performance.now();
    let nextLateAt = Infinity;
    for (const events of [...this.#underWay, this.#waiting]) {
      // Not in the order of their deadlines, because the checks of a request before it may have taken longer.
      const late = events.filter(({ lateAt }) => lateAt <= nowMs);
      for (const { lateAt } of events) if (lateAt > nowMs) nextLateAt = Math.min(nextLateAt, lateAt);
      if (late.length === 0) continue;
      events.splice(0, events.length, ...events.filter(({ lateAt }) => lateAt > nowMs));
      for (const { event, reject } of late) {
        if (events === this.#waiting) this.#waitingBytes -= event.body.length;
        reject(this.#lateError());
      }
    }
    // Events that are late one shortly after the other are answered together.
    if (nextLateAt < Infinity) this.#setDeadline(Math.max(nextLateAt, nowMs + LATE_TOGETHER_MS));
  }

  #lateError(): SluiceError {
    const detail = `No store confirmed the event within ${this.#deadlineMs} ms; the sender should retry`;
    return new SluiceError("unavailable", detail, { retryAfterSeconds: LATE_RETRY_AFTER_SECONDS });
  }

  /** Makes the timer fire at this time, unless it fires earlier. */
  #setDeadline(lateAt: number): void {
    if (lateAt >= this.#deadlineAt) return;
    clearTimeout(this.#deadline);
    this.#deadlineAt = lateAt;
    this.#deadline = setTimeout(() => this.#answerLate(), Math.max(0, Math.ceil(lateAt - performance.now())));
  }

  #endDeadline(): void {
    clearTimeout(this.#deadline);
    this.#deadline = undefined;
    this.#deadlineAt = Infinity;
  }
}

function base64Length(bytes: number): number {
  return 4 * Math.ceil(bytes / 3);
}
