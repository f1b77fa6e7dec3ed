// Measures whether the thread of this process is the bottleneck of its work.

import { performance } from "node:perf_hooks";

/** The share of time above which a thread is busy. On two cores a worker that drains a backlog is above 0.88. */
const BUSY = 0.8;
/** The shortest time that says something: over a shorter one any thread looks busy. */
const LEAST_MS = 50;

export class ThreadLoad {
  #lastSample = performance.eventLoopUtilization();
  #wasBusy = false;

  /** Whether the thread was busy since the last call, or a little longer when that call was just now. */
  measureBusy(): boolean {
    const sample = performance.eventLoopUtilization();
    const { active, idle, utilization } = performance.eventLoopUtilization(sample, this.#lastSample);
    if (active + idle < LEAST_MS) return this.#wasBusy;
    this.#lastSample = sample;
    this.#wasBusy = utilization >= BUSY;
    return this.#wasBusy;
  }
}
