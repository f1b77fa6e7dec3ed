// Knows whether a store takes jobs. Real jobs say so as well as probes do, so a probe runs only when somebody asks and
// no job was taken just now. One probe runs at a time: while a store hangs, probes MUST NOT take its connections.

import { within } from "@sluice/shared/runtime/within";

import { describeStoreError, NoAnswer } from "./store-error.ts";

/** Anybody may ask `/readyz`, at any rate. The store is probed once in this time at most. */
const FRESH_MS = 1_000;

export class StoreTrial {
  readonly #probe: (bytes: number) => Promise<void>;
  readonly #minBytes: number;
  readonly #limitMs: number;
  #problem: string | undefined;
  #knownAtMs = -Infinity;
  /** The size of the largest job that was refused; undefined since a probe of that size has passed. */
  #refusedBytes: number | undefined;
  #probing: Promise<void> | undefined;

  /**
   * @param probe adds a job of that size. @param minBytes the size of a probe, unless a larger job was refused.
   * @param limitMs the longest time for {@link findProblem}.
   */
  constructor(probe: (bytes: number) => Promise<void>, minBytes: number, limitMs: number) {
    this.#probe = probe;
    this.#minBytes = minBytes;
    this.#limitMs = limitMs;
  }

  /** A real job was taken. It says nothing while a larger job may still be refused. */
  recordTaken(): void {
    if (this.#refusedBytes !== undefined) return;
    this.#problem = undefined;
    this.#knownAtMs = performance.now();
  }

  /** A real job was refused. The next question is answered by a probe of its size. */
  recordRefused(bytes: number): void {
    this.#knownAtMs = -Infinity;
    this.#refusedBytes = Math.max(bytes, this.#refusedBytes ?? 0);
  }

  /** Why the store takes no job, in a few words that anybody may read; undefined when it takes jobs. Never throws. */
  async findProblem(): Promise<string | undefined> {
    if (performance.now() - this.#knownAtMs < FRESH_MS) return this.#problem;
    this.#probing ??= this.#probeOnce().finally(() => (this.#probing = undefined));
    const hasEnded = await within(
      this.#limitMs,
      this.#probing.then(() => true),
    );
    return hasEnded === true ? this.#problem : describeStoreError(new NoAnswer());
  }

  async #probeOnce(): Promise<void> {
    const bytes = this.#refusedBytes;
    try {
      await this.#probe(Math.max(bytes ?? 0, this.#minBytes));
      this.#problem = undefined;
      if (bytes === this.#refusedBytes) this.#refusedBytes = undefined;
    } catch (error) {
      this.#problem = describeStoreError(error);
    }
    this.#knownAtMs = performance.now();
  }
}
