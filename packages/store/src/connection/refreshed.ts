// A copy of part of the configuration in memory, kept true by comparing one number: the revision, asked for
// twice a second. While PostgreSQL is away the last copy goes on serving.

import { setTimeout as delay } from "node:timers/promises";

import { FreshRuns } from "@sluice/shared/runtime/fresh-runs";
import type { Logger } from "@sluice/shared/runtime/log";
import { sparing } from "@sluice/shared/runtime/sparing-log";
import { within } from "@sluice/shared/runtime/within";
import { readRevision } from "./configuration-row.ts";
import type { Database } from "./database.ts";

/** "A change is picked up within a second", with room for the load itself. */
const POLL_MS = 500;
/** Between two questions that came of a suspicion. */
const SUSPICION_MS = 100;
/** How long who suspects waits: a PostgreSQL that hangs must not hold what they hold. */
const SUSPICION_LIMIT_MS = 1_000;

export interface LoadedCopy<T> {
  revision: number;
  value: T;
}

export class Refreshed<T> {
  readonly #db: Database;
  readonly #load: () => Promise<T>;
  readonly #log: Logger;
  #current: LoadedCopy<T>;
  #confirmedAtMs: number;
  readonly #refreshes = new FreshRuns(() => this.#refreshOnce());
  #timer: NodeJS.Timeout | undefined;
  #followedUpAt = Number.NEGATIVE_INFINITY;
  #suspicion: Promise<void> | undefined;

  private constructor(db: Database, load: () => Promise<T>, log: Logger, first: LoadedCopy<T>, readAtMs: number) {
    this.#db = db;
    this.#load = load;
    this.#log = log;
    this.#current = first;
    this.#confirmedAtMs = readAtMs;
  }

  /** Loads the first copy and starts to watch. @throws when it cannot be loaded. */
  static async open<T>(db: Database, load: () => Promise<T>, log: Logger): Promise<Refreshed<T>> {
    const nowMs = Date.now();
    const refreshed = new Refreshed(db, load, log, await loadCopy(db, load), nowMs);
    refreshed.#schedule();
    return refreshed;
  }

  get current(): LoadedCopy<T> {
    return this.#current;
  }

  /** When PostgreSQL last said that the copy is what it has: milliseconds since 1970. */
  get confirmedAtMs(): number {
    return this.#confirmedAtMs;
  }

  /** Resolves when the copy holds at least what was committed before the call. @throws when PostgreSQL is away. */
  refresh(): Promise<void> {
    return this.#refreshes.next();
  }

  /**
   * For a caller who suspects that the copy is old. However many suspect it, PostgreSQL is asked ten times a second
   * at most, and they wait for their turn, a second at most.
   * @returns the copy when it is another one than the caller's. Never throws.
   */
  async newerThan(known: LoadedCopy<T>): Promise<LoadedCopy<T> | undefined> {
    if (this.#current === known) await within(SUSPICION_LIMIT_MS, (this.#suspicion ??= this.#followUp()));
    return this.#current === known ? undefined : this.#current;
  }

  async #followUp(): Promise<void> {
    await delay(Math.max(0, this.#followedUpAt + SUSPICION_MS - performance.now()));
    // What is committed from here on may be missed: who suspects it now has another look.
    this.#suspicion = undefined;
    this.#followedUpAt = performance.now();
    await this.refresh().catch((error: unknown) =>
      // Failure policy: open, as in a poll.
      sparing(this.#log).warn({ err: error }, "configuration not refreshed"),
    );
  }

  async #refreshOnce(): Promise<void> {
    // Before it is asked: what is committed meanwhile is not confirmed.
    const nowMs = Date.now();
    if ((await readRevision(this.#db)) !== this.#current.revision) {
      this.#current = await loadCopy(this.#db, this.#load);
    }
    this.#confirmedAtMs = nowMs;
  }

  #schedule(): void {
    this.#timer = setTimeout(() => {
      this.refresh()
        // Failure policy: open. What is known is better than nothing, and the next poll tries again.
        .catch((error: unknown) => sparing(this.#log).warn({ err: error }, "configuration not refreshed"))
        .finally(() => {
          if (this.#timer !== undefined) this.#schedule();
        });
    }, POLL_MS);
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#suspicion;
    await this.#refreshes.ended();
  }
}

/** The revision is read first: a change in between makes the copy newer than its number, never older. */
async function loadCopy<T>(db: Database, load: () => Promise<T>): Promise<LoadedCopy<T>> {
  const revision = await readRevision(db);
  return { revision, value: await load() };
}
