// Bounds the memory of the intake jobs that this worker has in hand. A job holds a batch of small events, or one event
// of any size that the gateway permits. The queue hands over whole jobs, so the bound is on how many of them it may
// bring.

import type { QueuedEvent } from "@sluice/queue/jobs";

/** For the bodies of all jobs in hand, in base64. A single job may be larger. */
const LIMIT_BYTES = 32 * 1024 * 1024;
/** The next job is expected to be as large as the largest of so many before it. */
const REMEMBERED = 64;

export class IntakeBudget {
  readonly #mostJobs: number;
  readonly #limitBytes: number;
  readonly #allow: (jobs: number) => void;
  #recentBytes: number[] = [];
  #jobs = 0;
  #bytes = 0;
  #allowed = 1;

  /** @param allow sets how many jobs may be in hand. It is 1 until the first job has shown its size. */
  constructor(mostJobs: number, allow: (jobs: number) => void, limitBytes = LIMIT_BYTES) {
    this.#mostJobs = mostJobs;
    this.#limitBytes = limitBytes;
    this.#allow = allow;
  }

  /** Counts a job while it is handled. @returns what the work returns. @throws what it throws. */
  async during<T>(events: readonly (QueuedEvent | null)[], work: () => Promise<T>): Promise<T> {
    const bytes = sizeOfBodies(events);
    this.#recentBytes = [...this.#recentBytes.slice(1 - REMEMBERED), bytes];
    this.#count(1, bytes);
    try {
      return await work();
    } finally {
      this.#count(-1, -bytes);
    }
  }

  #count(jobs: number, bytes: number): void {
    this.#jobs += jobs;
    this.#bytes += bytes;
    const expectedBytes = Math.max(1, ...this.#recentBytes);
    const more = Math.floor((this.#limitBytes - this.#bytes) / expectedBytes);
    const allowed = Math.max(1, Math.min(this.#mostJobs, this.#jobs + more));
    if (allowed === this.#allowed) return;
    this.#allowed = allowed;
    this.#allow(allowed);
  }
}

/** In base64. An older or a newer version may have left anything in the queue. */
export function sizeOfBodies(events: readonly (QueuedEvent | null)[]): number {
  return events.reduce((sum, event) => sum + (event?.body?.length ?? 0), 0);
}
