// Whether this process's own thread is what its work waits for.

import { performance } from "node:perf_hooks";

/** Of the time. On two cores a worker that drains a backlog is above 0.88, however slow they are. */
const BUSY = 0.8;
/** Over a shorter time anything is busy. */
const LEAST_MS = 50;

export class ThreadLoad {
  #seen = performance.eventLoopUtilization();
  #isBusy = false;

  /** Since it was asked last, or not long before that. */
  get isBusy(): boolean {
    const now = performance.eventLoopUtilization();
    const { active, idle, utilization } = performance.eventLoopUtilization(now, this.#seen);
    if (active + idle < LEAST_MS) return this.#isBusy;
    this.#seen = now;
    this.#isBusy = utilization >= BUSY;
    return this.#isBusy;
  }
}
