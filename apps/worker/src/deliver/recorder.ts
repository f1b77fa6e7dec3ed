// Writes attempts and the new states of their deliveries. Attempts that end while a write is under way, or shortly
// after one, go into the next statement together. Nothing is dropped while PostgreSQL is away: the lanes wait.

import { formatId, idTime } from "@sluice/shared/domain/ids";
import type { Logger } from "@sluice/shared/runtime/log";
import { sparing } from "@sluice/shared/runtime/sparing-log";
import type { Database } from "@sluice/store/connection/database";
import { isDataFault } from "@sluice/store/connection/postgres-errors";
import { type AttemptRecord, moveUnrecorded, recordAttempts } from "@sluice/store/delivery/deliveries";
import { withPartitions } from "@sluice/store/connection/partitions";

import { pause } from "@sluice/shared/runtime/pause";

const MAX_BATCH = 500;
/**
 * The time between the starts of two writes, unless a lane waits for its write or many attempts wait. Without it, each
 * attempt would be a statement and a commit of its own at a moderate rate, and that delays what is being sent.
 */
const SPACING_MS = 50;
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
  readonly #onUnrecorded: () => void;
  #waiting: WaitingAttempt[] = [];
  #isWriting = false;
  /** Whether a lane sends nothing until one of the waiting attempts is written. */
  #isAwaited = false;
  #lastWriteAt = -Infinity;
  #endPause = () => {};

  /**
   * @param giveUp aborts when the process can no longer wait for PostgreSQL.
   * @param onUnrecorded called when an attempt will be missing in the log.
   */
  constructor(db: Database, workerId: string, giveUp: AbortSignal, log: Logger, onUnrecorded = () => {}) {
    this.#db = db;
    this.#workerId = workerId;
    this.#giveUp = giveUp;
    this.#log = log;
    this.#onUnrecorded = onUnrecorded;
  }

  /**
   * Resolves when the attempt is written, or its delivery moved on without it. When the process gives up, the lease of
   * the delivery runs out, and the attempt is repeated.
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
    const ids = attempts.map((attempt) => attempt.id);
    const fault = await this.#persist(attempts, () =>
      withPartitions(this.#db, ids, () => recordAttempts(this.#db, attempts, this.#workerId)),
    );
    if (fault === undefined) return;
    const [only] = attempts;
    if (attempts.length === 1 && only !== undefined) {
      await this.#writeReduced(only, fault);
      return;
    }
    // An attempt that cannot be written MUST NOT hold back the others of its batch. Halves find it in few statements.
    const middle = Math.ceil(attempts.length / 2);
    await this.#write(attempts.slice(0, middle));
    await this.#write(attempts.slice(middle));
  }

  /**
   * PostgreSQL does not take the attempt as it is, and would not take it the next time. So it is written with less, and
   * at last only its delivery moves on: a delivery that stayed as it is would be attempted again and again for ever.
   */
  async #writeReduced(attempt: AttemptRecord, cause: unknown): Promise<void> {
    const fields = {
      delivery: formatId("dlv", attempt.deliveryId),
      attempt: attempt.number,
      outcome: attempt.next.status,
    };
    const error = `not recorded as it was: ${describeFault(cause)}`;
    const isSuccess = attempt.next.status === "succeeded";
    const reduced: AttemptRecord = {
      ...attempt,
      // The log finds an attempt by its time only when its id was made at about that time.
      startedAtMs: idTime(attempt.id),
      durationMs: 0,
      error: isSuccess ? null : error,
      responseExcerpt: null,
      details: null,
    };
    const write = () =>
      withPartitions(this.#db, [reduced.id], () => recordAttempts(this.#db, [reduced], this.#workerId));
    if ((await this.#persist([reduced], write)) === undefined) {
      this.#log.error({ err: cause, ...fields }, "attempt recorded without what PostgreSQL does not take");
      return;
    }
    this.#onUnrecorded();
    const move = () => moveUnrecorded(this.#db, { ...reduced, error }, this.#workerId);
    const last = await this.#persist([reduced], move);
    if (last === undefined) this.#log.error({ err: cause, ...fields }, "attempt not recorded; its delivery goes on");
    else
      this.#log.error(
        { err: last, ...fields },
        "delivery cannot be changed; it is repeated when its lease has run out",
      );
  }

  /** Tries again until PostgreSQL answers. @returns the fault of the rows, which no other try would mend. */
  async #persist(attempts: readonly AttemptRecord[], write: () => Promise<unknown>): Promise<unknown> {
    for (;;) {
      try {
        await write();
        return undefined;
      } catch (error) {
        if (isDataFault(error)) return error;
        sparing(this.#log).warn({ err: error, attempts: attempts.length }, "attempts not written yet; trying again");
        if ((await pause(RETRY_MS, this.#giveUp)) === "aborted") return undefined;
      }
    }
  }
}

/** In few words, which PostgreSQL takes for certain. */
function describeFault(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replaceAll(/[^\x20-\x7e]/g, "?").slice(0, 200);
}
