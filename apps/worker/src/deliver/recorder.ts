// Writes attempts and the new states of their deliveries. Attempts that end while a write is under way, or shortly
// after one, go into the next statement together. Nothing is dropped while PostgreSQL is away: the lanes wait.

import { formatId } from "@sluice/shared/domain/ids";
import type { Logger } from "@sluice/shared/runtime/log";
import { sparing } from "@sluice/shared/runtime/sparing-log";
import { type Database, isDataFault } from "@sluice/store/connection/database";
import { type AttemptRecord, recordAttempts } from "@sluice/store/delivery/deliveries";
import { withPartitions } from "@sluice/store/connection/partitions";

import { pause } from "@sluice/shared/runtime/pause";

const MAX_BATCH = 500;
/**
 * The time between the starts of two writes, unless a lane waits for its write or many attempts wait. Without it, each
 * attempt would be a statement and a commit of its own at a moderate rate, and that delays what is being sent.
 */
const SPACING_MS = 20;
/** So many waiting attempts are written without a pause. */
const MANY = 100;
const RETRY_MS = 500;

interface WaitingAttempt {
  attempt: AttemptRecord;
  done: () => void;
}

export class Recorder {
  readonly #db: Database;
  readonly #workerId: string;
  readonly #giveUp: AbortSignal;
  readonly #log: Logger;
  #waiting: WaitingAttempt[] = [];
  #isWriting = false;
  /** Whether a lane sends nothing until one of the waiting attempts is written. */
  #isAwaited = false;
  #lastWriteAt = -Infinity;
  #endPause = () => {};

  /** @param giveUp aborts when the process can no longer wait for PostgreSQL. */
  constructor(db: Database, workerId: string, giveUp: AbortSignal, log: Logger) {
    this.#db = db;
    this.#workerId = workerId;
    this.#giveUp = giveUp;
    this.#log = log;
  }

  /**
   * Resolves when the attempt is written, or when it cannot be written: then its lease runs out and it is repeated.
   * @param isAwaited whether the lane sends nothing until the attempt is written.
   */
  record(attempt: AttemptRecord, isAwaited: boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ attempt, done: resolve });
      this.#isAwaited ||= isAwaited;
      if (!this.#isWriting) void this.#writeAll();
      else if (this.#isUrgent()) this.#endPause();
    });
  }

  async #writeAll(): Promise<void> {
    this.#isWriting = true;
    while (this.#waiting.length > 0) {
      await this.#pauseBeforeWrite();
      this.#lastWriteAt = performance.now();
      const batch = this.#waiting.splice(0, MAX_BATCH);
      if (this.#waiting.length === 0) this.#isAwaited = false;
      await this.#write(batch.map(({ attempt }) => attempt));
      for (const { done } of batch) done();
    }
    this.#isWriting = false;
  }

  #isUrgent(): boolean {
    return this.#isAwaited || this.#waiting.length >= MANY;
  }

  #pauseBeforeWrite(): Promise<void> | undefined {
    const inMs = this.#lastWriteAt + SPACING_MS - performance.now();
    if (inMs <= 0 || this.#isUrgent()) return undefined;
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, inMs);
      this.#endPause = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async #write(attempts: AttemptRecord[]): Promise<void> {
    for (;;) {
      try {
        const ids = attempts.map((attempt) => attempt.id);
        return await withPartitions(this.#db, ids, () => recordAttempts(this.#db, attempts, this.#workerId));
      } catch (error) {
        if (isDataFault(error)) return this.#writeSingly(attempts, error);
        sparing(this.#log).warn({ err: error, attempts: attempts.length }, "attempts not written yet; trying again");
        if ((await pause(RETRY_MS, this.#giveUp)) === "aborted") return;
      }
    }
  }

  /** An attempt that cannot be written MUST NOT hold back the others of its batch. */
  async #writeSingly(attempts: AttemptRecord[], cause: unknown): Promise<void> {
    const [only] = attempts;
    if (attempts.length === 1 && only !== undefined) {
      this.#log.error(
        { err: cause, delivery: formatId("dlv", only.deliveryId), attempt: only.number, outcome: only.next.status },
        "attempt cannot be recorded; it is repeated when its lease has run out",
      );
      return;
    }
    for (const attempt of attempts) await this.#write([attempt]);
  }
}
