// Intake jobs that wait while others are stored go into the next statement together. At a moderate rate, and after an
// outage of PostgreSQL, jobs are many and of one event each, and a statement costs little more for a hundred.

import type { JobData, QueuedEvent } from "@sluice/queue/jobs";

type IntakeJob = JobData["intake"];

/** At once: one runs while another waits for its commit. With more, each has fewer events, which costs PostgreSQL more. */
const MAX_STATEMENTS = 2;
const MAX_EVENTS = 200;
/** Of bodies in base64. A single job may be larger. */
const MAX_BYTES = 2 * 1024 * 1024;

/** The events of a group cannot be stored together: one of them is at fault, and nothing was stored. */
export class Ungroupable extends Error {}

interface WaitingJob {
  job: IntakeJob;
  bytes: number;
  done: PromiseWithResolvers<void>;
}

export class IntakeGroup {
  readonly #takeIn: (job: IntakeJob, isGroup: boolean) => Promise<void>;
  #waiting: WaitingJob[] = [];
  #running = 0;

  /** @param takeIn stores a job. Of a group, all or nothing: @throws Ungroupable */
  constructor(takeIn: (job: IntakeJob, isGroup: boolean) => Promise<void>) {
    this.#takeIn = takeIn;
  }

  /** Settles as the job by itself would. */
  add(job: IntakeJob): Promise<void> {
    const done = Promise.withResolvers<void>();
    this.#waiting.push({ job, bytes: sizeOf(job), done });
    this.#pump();
    return done.promise;
  }

  #pump(): void {
    while (this.#waiting.length > 0 && this.#running < MAX_STATEMENTS) void this.#run(this.#take());
  }

  /** The oldest jobs up to the bounds; one that is above them alone goes alone. */
  #take(): WaitingJob[] {
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
    if (group.length === 1 || !(await this.#storeTogether(group))) {
      for (const { job, done } of group) await this.#takeIn(job, false).then(done.resolve, done.reject);
    }
    this.#running -= 1;
    this.#pump();
  }

  /** @returns whether the jobs are settled. */
  async #storeTogether(group: WaitingJob[]): Promise<boolean> {
    try {
      await this.#takeIn({ events: distinct(group.flatMap(({ job }) => job.events)) }, true);
      for (const { done } of group) done.resolve();
    } catch (error) {
      if (error instanceof Ungroupable) return false;
      for (const { done } of group) done.reject(error);
    }
    return true;
  }
}

/** A job whose store did not answer in time may be in both stores, and an event is stored by its id. */
function distinct(events: QueuedEvent[]): QueuedEvent[] {
  const ids = new Set<unknown>();
  return events.filter((event: QueuedEvent | null) => {
    // What an older or a newer version left behind may be anything.
    const id = event?.id;
    const isNew = id === undefined || !ids.has(id);
    ids.add(id);
    return isNew;
  });
}

function sizeOf({ events }: IntakeJob): number {
  return events.reduce((sum, event: QueuedEvent | null) => sum + (event?.body?.length ?? 0), 0);
}
