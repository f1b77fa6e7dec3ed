// A copy of part of the configuration in memory, kept true by comparing one number: the revision, asked for
// twice a second. While PostgreSQL is away the last copy goes on serving.

import type { Logger } from "../log.ts";
import { readRevision } from "./configuration.ts";
import type { Database } from "./database.ts";

/** "A change is picked up within a second", with room for the load itself. */
const POLL_MS = 500;

export interface Snapshot<T> {
  revision: number;
  value: T;
}

export class Refreshed<T> {
  readonly #db: Database;
  readonly #load: () => Promise<T>;
  readonly #log: Logger;
  #current: Snapshot<T>;
  #refreshing: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  private constructor(db: Database, load: () => Promise<T>, log: Logger, first: Snapshot<T>) {
    this.#db = db;
    this.#load = load;
    this.#log = log;
    this.#current = first;
  }

  /** Loads the first copy and starts to watch. @throws when it cannot be loaded. */
  static async open<T>(db: Database, load: () => Promise<T>, log: Logger): Promise<Refreshed<T>> {
    const refreshed = new Refreshed(db, load, log, await readSnapshot(db, load));
    refreshed.#schedule();
    return refreshed;
  }

  get current(): Snapshot<T> {
    return this.#current;
  }

  /** Resolves when the copy holds at least what was committed before the call. @throws when PostgreSQL is away. */
  async refresh(): Promise<void> {
    // A refresh that is under way may have read before the caller's change was committed.
    while (this.#refreshing !== undefined) await this.#refreshing.catch(() => undefined);
    this.#refreshing = this.#refreshOnce().finally(() => {
      this.#refreshing = undefined;
    });
    await this.#refreshing;
  }

  async #refreshOnce(): Promise<void> {
    if ((await readRevision(this.#db)) === this.#current.revision) return;
    this.#current = await readSnapshot(this.#db, this.#load);
  }

  #schedule(): void {
    this.#timer = setTimeout(() => {
      this.refresh()
        // Failure policy: open. What is known is better than nothing, and the next poll tries again.
        .catch((error: unknown) => this.#log.warn({ err: error }, "configuration not refreshed"))
        .finally(() => {
          if (this.#timer !== undefined) this.#schedule();
        });
    }, POLL_MS);
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#refreshing?.catch(() => undefined);
  }
}

/** The revision is read first: a change in between makes the copy newer than its number, never older. */
async function readSnapshot<T>(db: Database, load: () => Promise<T>): Promise<Snapshot<T>> {
  const revision = await readRevision(db);
  return { revision, value: await load() };
}
