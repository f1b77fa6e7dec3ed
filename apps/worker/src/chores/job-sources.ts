// Whether intake has to enter the ends of jobs: only while some source is reconciled. It is looked up every few seconds, so that
// a relay that reconciles nothing pays nothing for it.

import type { Logger } from "@sluice/shared/runtime/log";
import { sparing } from "@sluice/shared/runtime/sparing-log";
import type { Database } from "@sluice/store/connection/database";
import { hasJobSources, JOB_SOURCES_FOR_MS } from "@sluice/store/upstream/jobs-ends";

import { type Loop, startLoop } from "./loop.ts";

const LOOK_EVERY_MS = 5_000;

export class JobSources {
  /** By `performance.now()`, when the look began that found none. */
  #noneAt = Number.NEGATIVE_INFINITY;
  readonly #loop: Loop;

  constructor(db: Database, log: Logger) {
    this.#loop = startLoop(0, async () => {
      try {
        const at = performance.now();
        this.#noneAt = (await hasJobSources(db)) ? Number.NEGATIVE_INFINITY : at;
      } catch (error) {
        // Failure policy: closed. Without a look, intake enters every end.
        sparing(log).warn({ err: error }, "sources of jobs not looked up; trying again");
      }
      return LOOK_EVERY_MS;
    });
  }

  /** True also while nobody knows. */
  get mayExist(): boolean {
    return performance.now() - this.#noneAt > JOB_SOURCES_FOR_MS;
  }

  async close(): Promise<void> {
    await this.#loop.close();
  }
}
