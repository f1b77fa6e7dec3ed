// This worker's share of each target's limits. Twice a second it gives a sign of life and sees which other workers are
// alive (worker-group-state.ts). With one worker alive, its share is the whole limit.
//
// Failure policy: closed. A worker that PostgreSQL does not answer begins no request once the others may take it for
// dead, because they then use its share. A worker that was alone goes on: there is nobody to share with.

import type { Logger } from "@sluice/shared/runtime/log";
import { sparing } from "@sluice/shared/runtime/sparing-log";
import type { Database } from "@sluice/store/connection/database";
import {
  beatWorker,
  removeDeadWorkers,
  removeWorker,
  replaceGroup,
  type WorkerReport,
} from "@sluice/store/delivery/worker-group";

import { WorkerGroupState } from "./worker-group-state.ts";

const EVERY_MS = 500;
/** While a group changes, so that a new worker gets its share soon. */
const SOON_MS = 100;
/** Shorter than the time after which the others take this worker for dead. */
const CONFIRMED_MS = 2_000;
/** The most targets that are named to the others in one list. */
const MAX_IDS = 1_000;

/** The limits of one target, of all workers together. */
export interface SharedLimits {
  id: string;
  maxInFlight: number;
  rateLimitRequests: number | null;
}

/** What a lane needs to know of its share. */
export interface LaneShares {
  /** How many requests at once this worker may send to a target; 0 when others do that. */
  maxInFlight: (target: SharedLimits) => number;
  /** How many requests in the time of its rate limit; undefined for a target without one. */
  requests: (target: SharedLimits) => number | undefined;
  /** Whether the share is certain enough to begin a request now. */
  isConfirmed: () => boolean;
  /** `performance.now()` at the last change of the group: another worker may have sent what this one sends now. */
  readonly changedAtMs: number;
}

export interface SharesDependencies {
  /** MUST NOT wait for other statements of the worker: a late sign of life makes the worker stand still. */
  db: Database;
  workerId: string;
  /** At most so many targets at which this worker has more requests in flight than it may have now. */
  listOver: (limit: number) => string[];
  /** At most so many targets that have more due than this worker may send. Each is named once. */
  listWaiting: (limit: number) => string[];
  /** Called when shares have changed, or are certain again. */
  changed: () => void;
  /** Called for a target that has more due than another worker may send. */
  wake: (targetId: string) => void;
  log: Logger;
}

export class Shares implements LaneShares {
  readonly #dependencies: SharesDependencies;
  readonly #state: WorkerGroupState;
  #confirmedAtMs = Number.NEGATIVE_INFINITY;
  #changedAtMs = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(dependencies: SharesDependencies) {
    this.#dependencies = dependencies;
    this.#state = new WorkerGroupState(dependencies.workerId);
  }

  get changedAtMs(): number {
    return this.#changedAtMs;
  }

  /** Joins the other workers. Without any, every share is whole when this resolves. @throws when PostgreSQL is away. */
  async start(): Promise<void> {
    await removeDeadWorkers(this.#dependencies.db);
    await this.#look();
    // A worker without others makes a group and settles in it. With others, the rest takes them a moment.
    await this.#look();
    this.#schedule();
  }

  isConfirmed(): boolean {
    return this.#state.isAlone || performance.now() - this.#confirmedAtMs < CONFIRMED_MS;
  }

  maxInFlight({ id, maxInFlight }: SharedLimits): number {
    return this.#state.share(id, maxInFlight);
  }

  requests({ id, maxInFlight, rateLimitRequests }: SharedLimits): number | undefined {
    // Only workers that may send something share the rate.
    return rateLimitRequests === null ? undefined : this.#state.share(id, rateLimitRequests, maxInFlight);
  }

  /** Leaves the other workers. MUST come when this worker sends nothing any more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#looking;
    const { db, workerId, log } = this.#dependencies;
    // Failure policy: open. The others see that this worker gives no sign of life.
    await removeWorker(db, workerId).catch((error: unknown) =>
      sparing(log).warn({ err: error }, "not signed off; the other workers notice it"),
    );
  }

  #schedule(): void {
    if (this.#isClosed) return;
    this.#timer = setTimeout(
      () => {
        this.#looking = this.#look()
          .catch((error: unknown) =>
            sparing(this.#dependencies.log).warn({ err: error }, "no sign of life given; nothing more is sent soon"),
          )
          .then(() => this.#schedule());
      },
      this.#state.state.kind === "settled" ? EVERY_MS : SOON_MS,
    );
  }

  async #look(): Promise<void> {
    const { db, workerId, listOver, listWaiting, changed, wake } = this.#dependencies;
    const wasConfirmed = this.isConfirmed();
    // Asked before PostgreSQL is: the answer confirms nothing that is later.
    const nowMs = performance.now();
    const { isAlone } = this.#state;
    const overIds = isAlone ? [] : listOver(MAX_IDS + 1);
    // With more than can be named, the worker does not keep to the group at all yet.
    const epoch = this.#state.epoch - (overIds.length > MAX_IDS ? 1 : 0);
    // Failure policy: open. When PostgreSQL does not get this list, the sweep of another worker finds what is due.
    const report = { epoch, overIds: overIds.slice(0, MAX_IDS), waitingIds: isAlone ? [] : listWaiting(MAX_IDS) };
    const look = await beatWorker(db, workerId, report);
    const hasChanged = this.#state.learn(look, nowMs);
    this.#confirmedAtMs = nowMs;
    if (hasChanged) this.#changedAtMs = performance.now();
    if (hasChanged || !wasConfirmed) changed();
    for (const id of this.#state.living.flatMap(({ waitingIds }) => waitingIds)) wake(id);
    await this.#replaceGroup(report);
  }

  async #replaceGroup(reported: WorkerReport): Promise<void> {
    const { db, workerId, log } = this.#dependencies;
    const members = this.#state.nextMembers(reported);
    if (members === undefined || this.#isClosed) return;
    if (!(await replaceGroup(db, this.#state.epoch, members))) return;
    log.info({ worker: workerId, workers: members.length }, "workers share the limits of targets anew");
  }
}
