// Intake jobs that wait while others are stored go into the next statement together. At a moderate rate, and after an
// outage of PostgreSQL, jobs are many and hold one event each, and a statement costs little more for a hundred events
// than for one.

import type { JobData, QueuedEvent } from "@sluice/queue/jobs";

import { sizeOfBodies } from "./intake-budget.ts";
import type { StoreOutcome } from "./intake.ts";

type IntakeJob = JobData["intake"];

/**
 * Statements at once: one runs while another waits for its commit. With more, each has fewer events and costs
 * PostgreSQL more.
 */
const MAX_STATEMENTS = 2;
const MAX_EVENTS = 200;
/** The bodies of a group, in base64. A single job may be larger. */
const MAX_BYTES = 2 * 1024 * 1024;

/** How jobs are stored: together, and one by one. */
export interface IntakeGroupDependencies {
  /** Stores all of the events, or says which are at fault. The others may be stored then. */
  storeAll: (events: QueuedEvent[]) => Promise<StoreOutcome>;
  takeIn: (job: IntakeJob) => Promise<void>;
}

interface WaitingJob {
  job: IntakeJob;
  bytes: number;
  done: PromiseWithResolvers<void>;
}

export class IntakeGroup {
  readonly #dependencies: IntakeGroupDependencies;
  #waiting: WaitingJob[] = [];
  #running = 0;

  constructor(dependencies: IntakeGroupDependencies) {
    this.#dependencies = dependencies;
  }

  /** Settles as the job would by itself. */
  add(job: IntakeJob): Promise<void> {
    const done = Promise.withResolvers<void>();
    this.#waiting.push({ job, bytes: sizeOfBodies(job.events), done });
    this.#pump();
    return done.promise;
  }

  #pump(): void {
    while (this.#waiting.length > 0 && this.#running < MAX_STATEMENTS) void this.#run(this.#takeNext());
  }

  /** The oldest jobs up to the bounds. A job that is above them by itself is taken alone. */
  #takeNext(): WaitingJob[] {
    let events = 0;
    let bytes = 0;
    const end = this.#waiting.findIndex(({ job, bytes: more }) => {
      events += job.events.length;
      bytes += more;
      return events > MAX_EVENTS || bytes > MAX_BYTES;
    });
    return this.#waiting.splice(0, end === -1 ? this.#waiting.length : Math.max(1, end));
  }

  async #run(group: WaitingJob[]): Promise<void> {
    this.#running += 1;
    const [first] = group;
    if (group.length === 1 && first !== undefined) await this.#takeIn(first);
    else await this.#takeInTogether(group);
    this.#running -= 1;
    this.#pump();
  }

  async #takeInTogether(group: WaitingJob[]): Promise<void> {
    const events = distinct(group.flatMap(({ job }) => job.events));
    let outcome: StoreOutcome;
    try {
      outcome = await this.#dependencies.storeAll(events);
    } catch (error) {
      for (const { done } of group) done.reject(error);
      return;
    }
    switch (outcome.kind) {
      case "stored":
        for (const { done } of group) done.resolve();
        return;
      case "at_fault":
        // By itself, only the job with the event at fault fails.
        for (const waiting of group) await this.#takeIn(waiting);
    }
  }

  /** Never rejects. */
  #takeIn({ job, done }: WaitingJob): Promise<void> {
    return this.#dependencies.takeIn(job).then(done.resolve, done.reject);
  }
}

/** A job whose store did not answer in time may be in both stores, so the same event can be there twice. */
function distinct(events: QueuedEvent[]): QueuedEvent[] {
  const ids = new Set<unknown>();
  return events.filter((event: QueuedEvent | null) => {
    // An older or a newer version may have left anything in the queue.
    const id = event?.id;
    const isNew = id === undefined || !ids.has(id);
    ids.add(id);
    return isNew;
  });
}
