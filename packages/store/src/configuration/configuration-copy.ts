// Keeps a copy of a part of the configuration in memory. Twice a second it compares one number, the revision of the
// part, and brings the copy up to date when the number has changed. While PostgreSQL is away, the last copy stays in
// use.

import { setTimeout as delay } from "node:timers/promises";

import { FreshRuns } from "@sluice/shared/runtime/fresh-runs";
import type { Logger } from "@sluice/shared/runtime/log";
import { sparing } from "@sluice/shared/runtime/sparing-log";
import { within } from "@sluice/shared/runtime/within";

import { readRevision } from "../connection/configuration-revision.ts";
import type { Connection, Database } from "../connection/database.ts";
import type { ConfigurationPartName } from "../schema.ts";

/** The promise is that a change is picked up within a second; this leaves time for the load itself. */
const POLL_MS = 500;
/** The shortest time between two checks that callers of `waitForNewer` cause. */
const CHECK_INTERVAL_MS = 100;
/** The longest wait of a caller of `waitForNewer`, so that a PostgreSQL that hangs does not hold up its request. */
const CHECK_LIMIT_MS = 1_000;

const NOT_REFRESHED = "the configuration could not be refreshed; the last copy stays in use";

/** The whole part. The value is never changed; a newer one takes its place. */
export interface LoadedCopy<T> {
  revision: number;
  value: T;
}

export interface ConfigurationPart<T> {
  name: ConfigurationPartName;
  /**
   * Loads the part. Its value may be newer than its revision, and MUST NOT be older.
   * @param known an earlier copy, so that only what changed since is loaded; undefined at the first load.
   */
  load: (on: Connection, known: LoadedCopy<T> | undefined) => Promise<LoadedCopy<T>>;
}

export class ConfigurationCopy<T> {
  readonly #db: Database;
  readonly #part: ConfigurationPart<T>;
  readonly #log: Logger;
  #current: LoadedCopy<T>;
  #confirmedAtMs: number;
  readonly #refreshes = new FreshRuns(() => this.#refreshOnce());
  #timer: NodeJS.Timeout | undefined;
  #lastCheckAt = Number.NEGATIVE_INFINITY;
  #check: Promise<void> | undefined;

  private constructor(db: Database, part: ConfigurationPart<T>, log: Logger, first: LoadedCopy<T>, readAtMs: number) {
    this.#db = db;
    this.#part = part;
    this.#log = log;
    this.#current = first;
    this.#confirmedAtMs = readAtMs;
  }

  /** Loads the first copy and starts to compare the revision. @throws when the first copy cannot be loaded. */
  static async open<T>(db: Database, part: ConfigurationPart<T>, log: Logger): Promise<ConfigurationCopy<T>> {
    const nowMs = Date.now();
    const copy = new ConfigurationCopy(db, part, log, await part.load(db, undefined), nowMs);
    copy.#schedule();
    return copy;
  }

  get current(): LoadedCopy<T> {
    return this.#current;
  }

  /** When PostgreSQL last confirmed that the copy is up to date, in milliseconds since 1970. */
  get confirmedAtMs(): number {
    return this.#confirmedAtMs;
  }

  /** Resolves when the copy has every change that was committed before the call. @throws when PostgreSQL is away. */
  refresh(): Promise<void> {
    return this.#refreshes.next();
  }

  /**
   * Brings the copy up to date within a transaction, which may hold the part (`holdRevision`).
   * @throws when PostgreSQL is away.
   */
  async refreshOn(tx: Connection): Promise<void> {
    const known = this.#current;
    if ((await readRevision(tx, this.#part.name)) === known.revision) return;
    this.#adopt(await this.#part.load(tx, known), known);
  }

  /**
   * Checks whether there is a newer copy, for a caller that suspects its copy is old. All callers together cause at
   * most ten checks a second, and each waits for the next one, at most a second. Never throws.
   * @returns the current copy when it is not the caller's; undefined when it is.
   */
  async waitForNewer(known: LoadedCopy<T>): Promise<LoadedCopy<T> | undefined> {
    if (this.#current === known) await within(CHECK_LIMIT_MS, (this.#check ??= this.#checkSoon()));
    return this.#current === known ? undefined : this.#current;
  }

  async #checkSoon(): Promise<void> {
    await delay(Math.max(0, this.#lastCheckAt + CHECK_INTERVAL_MS - performance.now()));
    // This check may miss a change that is committed from here on, so that a later caller needs another check.
    this.#check = undefined;
    this.#lastCheckAt = performance.now();
    await this.refresh().catch((error: unknown) =>
      // Failure policy: open, as in a poll.
      sparing(this.#log).warn({ err: error }, NOT_REFRESHED),
    );
  }

  async #refreshOnce(): Promise<void> {
    // Read before PostgreSQL is asked, because the answer does not confirm changes that are committed after the
    // question.
    const nowMs = Date.now();
    const known = this.#current;
    if ((await readRevision(this.#db, this.#part.name)) !== known.revision) {
      this.#adopt(await this.#part.load(this.#db, known), known);
    }
    this.#confirmedAtMs = nowMs;
  }

  /** @param known the copy when the load began. Another load may have ended meanwhile; the newer of the two stays. */
  #adopt(loaded: LoadedCopy<T>, known: LoadedCopy<T>): void {
    if (this.#current === known || loaded.revision > this.#current.revision) this.#current = loaded;
  }

  #schedule(): void {
    this.#timer = setTimeout(() => {
      this.refresh()
        // Failure policy: open. The last copy is better than none, and the next poll tries again.
        .catch((error: unknown) => sparing(this.#log).warn({ err: error }, NOT_REFRESHED))
        .finally(() => {
          if (this.#timer !== undefined) this.#schedule();
        });
    }, POLL_MS);
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#check;
    await this.#refreshes.ended();
  }
}
