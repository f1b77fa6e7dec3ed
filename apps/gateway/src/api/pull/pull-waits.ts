// Pulls that wait until something is due. However many wait, one statement at a time asks PostgreSQL for all of them, and
// none of them has a connection of its own. A hint that something is due comes sooner, but nothing depends on it: it may
// be lost, or come to another gateway.

import { idFloor } from "@sluice/shared/domain/ids";
import { SluiceError } from "@sluice/shared/runtime/errors";
import type { Logger } from "@sluice/shared/runtime/log";
import { sparing } from "@sluice/shared/runtime/sparing-log";
import type { Database } from "@sluice/store/connection/database";
import { DAY_MS } from "@sluice/store/connection/partitions";
import { findDueOf } from "@sluice/store/delivery/pulled";

export interface PullWaitLimits {
  /** The pulls that wait on one gateway at once. */
  maxWaits: number;
  /** How many of them one API key may have, so that it does not keep out all others. */
  maxWaitsOfKey: number;
}

export const PULL_WAIT_LIMITS: PullWaitLimits = { maxWaits: 1_000, maxWaitsOfKey: 250 };

/** The time between two questions while nothing is due. A pull answers within 100 ms of its event. */
const ASK_EVERY_MS = 75;
/** While events come. For a second after the last of them: what comes at a steady rate is then answered at once. */
const ASK_QUICKLY_MS = 4;
const QUICK_FOR_MS = 1_000;
/**
 * How often old deliveries are asked for too, which become due again: a question about each partition costs PostgreSQL
 * ten times as much as one about the newest.
 */
const ASK_ALL_EVERY_MS = 1_000;
/** New deliveries are at most so old, unless an event waited in the queue: those are found within {@link ASK_ALL_EVERY_MS}. */
const NEW_FOR_MS = DAY_MS / 24;
const AFTER_FAILURE_MS = 1_000;
const RETRY_AFTER_SECONDS = 5;

export interface PullWaitsDependencies {
  db: Database;
  log: Logger;
  limits: PullWaitLimits;
}

export interface WaitingPull<T> {
  targetId: string;
  /** The UUID of the caller's API key; null for the key from the environment. */
  holderId: string | null;
  waitMs: number;
  /** Aborts when the client goes away. */
  signal: AbortSignal;
  /** Claims what is due. @returns undefined when nothing is. */
  claim: () => Promise<T | undefined>;
}

interface Wait {
  targetId: string;
  holderId: string | null;
  /** @param isDue false when the wait is over. */
  end: (isDue: boolean) => void;
}

export class PullWaits {
  readonly #dependencies: PullWaitsDependencies;
  /** In the order in which they came. */
  readonly #waits = new Set<Wait>();
  /** The targets for which a pull was woken that has not claimed yet: it has what is due, and no other needs to wake. */
  readonly #claiming = new Set<string>();
  #isAsking = false;
  #isClosed = false;
  #quickUntil = 0;
  #askedAllAt = 0;
  #endPause = () => {};

  constructor(dependencies: PullWaitsDependencies) {
    this.#dependencies = dependencies;
  }

  /** How many pulls wait. */
  get count(): number {
    return this.#waits.size;
  }

  /**
   * Claims what is due, or waits until something is.
   * @returns undefined when nothing was due in time, the client went away, or the gateway stops.
   * @throws SluiceError `unavailable` when too many wait already.
   */
  async take<T>(pull: WaitingPull<T>): Promise<T | undefined> {
    const { targetId, waitMs, signal, claim } = pull;
    const endsAt = performance.now() + waitMs;
    let claimed = await claim();
    while (claimed === undefined && !signal.aborted) {
      const leftMs = endsAt - performance.now();
      if (leftMs <= 0 || !(await this.#wait(pull, leftMs))) return undefined;
      if (signal.aborted) {
        // The client went while it was woken: what is due is for the next one.
        this.hint(targetId);
        return undefined;
      }
      this.#claiming.add(targetId);
      try {
        claimed = await claim();
      } finally {
        this.#claiming.delete(targetId);
      }
    }
    return claimed;
  }

  /** Something may be due for a target. */
  hint(targetId: string): void {
    if (this.#claiming.has(targetId)) return;
    for (const wait of this.#waits) {
      if (wait.targetId !== targetId) continue;
      this.#hurry();
      wait.end(true);
      return;
    }
  }

  /** Ends every wait at once. What is pulled from now on does not wait. */
  close(): void {
    this.#isClosed = true;
    for (const wait of this.#waits) wait.end(false);
    this.#endPause();
  }

  /** @returns whether something is due. */
  #wait({ targetId, holderId, signal }: WaitingPull<unknown>, forMs: number): Promise<boolean> {
    if (this.#isClosed) return Promise.resolve(false);
    this.#requireRoom(holderId);
    return new Promise((resolve) => {
      const giveUp = () => wait.end(false);
      const timer = setTimeout(giveUp, forMs);
      const wait: Wait = {
        targetId,
        holderId,
        end: (isDue) => {
          clearTimeout(timer);
          signal.removeEventListener("abort", giveUp);
          this.#waits.delete(wait);
          resolve(isDue);
        },
      };
      signal.addEventListener("abort", giveUp);
      this.#waits.add(wait);
      if (!this.#isAsking) void this.#askWhileAnybodyWaits();
    });
  }

  #requireRoom(holderId: string | null): void {
    const { maxWaits, maxWaitsOfKey } = this.#dependencies.limits;
    if (this.#waits.size >= maxWaits) throw noPullRoom(`${maxWaits} pulls wait on this gateway, which is its maximum`);
    let ofKey = 0;
    for (const wait of this.#waits) if (wait.holderId === holderId) ofKey += 1;
    if (ofKey >= maxWaitsOfKey)
      throw noPullRoom(`${maxWaitsOfKey} pulls of your API key wait on this gateway, which is its maximum`);
  }

  /** Never rejects. */
  async #askWhileAnybodyWaits(): Promise<void> {
    this.#isAsking = true;
    let pauseMs = this.#pauseMs();
    while (this.#waits.size > 0) {
      await this.#pause(pauseMs);
      pauseMs = await this.#ask();
    }
    this.#isAsking = false;
  }

  /** @returns the pause before the next question, in milliseconds. */
  async #ask(): Promise<number> {
    const { db, log } = this.#dependencies;
    const targetIds = [...new Set([...this.#waits].map(({ targetId }) => targetId))];
    const asked = targetIds.filter((id) => !this.#claiming.has(id));
    try {
      const asksAll = performance.now() - this.#askedAllAt >= ASK_ALL_EVERY_MS;
      if (asksAll) this.#askedAllAt = performance.now();
      const from = idFloor(asksAll ? 0 : Date.now() - NEW_FOR_MS);
      const due = asked.length === 0 ? [] : await findDueOf(db, asked, from);
      for (const targetId of due) this.hint(targetId);
    } catch (error) {
      // Failure policy: open. While PostgreSQL is away nothing is claimed, and the waits end in their time.
      sparing(log).warn({ err: error }, "not known what is due for pulls");
      return AFTER_FAILURE_MS;
    }
    return this.#pauseMs();
  }

  #pauseMs(): number {
    return performance.now() < this.#quickUntil ? ASK_QUICKLY_MS : ASK_EVERY_MS;
  }

  #hurry(): void {
    this.#quickUntil = performance.now() + QUICK_FOR_MS;
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#endPause = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

const noPullRoom = (detail: string) =>
  new SluiceError("unavailable", `${detail}; pull again later`, { retryAfterSeconds: RETRY_AFTER_SECONDS });
