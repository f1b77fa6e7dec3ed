// The micro-batch: requests that arrive while an add is in flight travel together in the next job, and each is
// answered when its job is durable. Alone, a request travels at once.

import { SluiceError } from "@sluice/shared/errors";
import type { QueuedEvent } from "@sluice/shared/queue/jobs";

const MAX_BATCH_EVENTS = 100;
const MAX_BATCH_BYTES = 1024 * 1024;
/** A full batch does not wait for the one before it, up to this many at once. */
const MAX_IN_FLIGHT = 4;
/** What waits is memory that is not durable yet; above this the sender had better come back. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024;

interface Waiting {
  event: QueuedEvent;
  resolve: () => void;
  reject: (error: unknown) => void;
}

export class Batcher {
  readonly #add: (events: QueuedEvent[]) => Promise<void>;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #inFlight = 0;

  /** @param add resolves when the events are durable. */
  constructor(add: (events: QueuedEvent[]) => Promise<void>) {
    this.#add = add;
  }

  /** Resolves when the event is durable. @throws SluiceError `unavailable` */
  add(event: QueuedEvent): Promise<void> {
    if (this.#waitingBytes + event.body.length > MAX_WAITING_BYTES) {
      return Promise.reject(new SluiceError("unavailable", "Too much waits to be stored", { retryAfterSeconds: 1 }));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ event, resolve, reject });
      this.#waitingBytes += event.body.length;
      this.#pump();
    });
  }

  #pump(): void {
    while (
      this.#waiting.length > 0 &&
      (this.#inFlight === 0 || (this.#hasFullBatch() && this.#inFlight < MAX_IN_FLIGHT))
    ) {
      void this.#send(this.#takeBatch());
    }
  }

  #hasFullBatch(): boolean {
    return this.#waiting.length >= MAX_BATCH_EVENTS || this.#waitingBytes >= MAX_BATCH_BYTES;
  }

  /** The oldest requests up to the bounds; one that is above them alone travels alone. */
  #takeBatch(): Waiting[] {
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

  async #send(batch: Waiting[]): Promise<void> {
    this.#inFlight += 1;
    try {
      await this.#add(batch.map(({ event }) => event));
      for (const { resolve } of batch) resolve();
    } catch (error) {
      for (const { reject } of batch) reject(error);
    } finally {
      this.#inFlight -= 1;
      this.#pump();
    }
  }
}
