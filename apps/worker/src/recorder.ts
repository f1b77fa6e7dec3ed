// Writes attempts and what they mean for their deliveries: those that end while a write is under way go into the
// next statement together. Nothing is dropped while PostgreSQL is away: the lanes wait.

import { formatId } from "@sluice/shared/ids";
import type { Logger } from "@sluice/shared/log";
import { sparing } from "@sluice/shared/sparing-log";
import { type Database, isDataFault } from "@sluice/shared/store/database";
import { type AttemptRecord, recordAttempts } from "@sluice/shared/store/deliveries";
import { withPartitions } from "@sluice/shared/store/partitions";

import { pause } from "./pause.ts";

const MAX_BATCH = 500;
const RETRY_MS = 500;

interface Waiting {
  attempt: AttemptRecord;
  done: () => void;
}

export class Recorder {
  readonly #db: Database;
  readonly #workerId: string;
  readonly #giveUp: AbortSignal;
  readonly #log: Logger;
  #waiting: Waiting[] = [];
  #isWriting = false;

  /** @param giveUp aborts when the process can wait for PostgreSQL no longer. */
  constructor(db: Database, workerId: string, giveUp: AbortSignal, log: Logger) {
    this.#db = db;
    this.#workerId = workerId;
    this.#giveUp = giveUp;
    this.#log = log;
  }

  /** Resolves when the attempt is written, or when it cannot be (then its lease runs out and it is repeated). */
  record(attempt: AttemptRecord): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ attempt, done: resolve });
      if (!this.#isWriting) void this.#writeAll();
    });
  }

  async #writeAll(): Promise<void> {
    this.#isWriting = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, MAX_BATCH);
      await this.#write(batch.map(({ attempt }) => attempt));
      for (const { done } of batch) done();
    }
    this.#isWriting = false;
  }

  async #write(attempts: AttemptRecord[]): Promise<void> {
    for (;;) {
      try {
        const ids = attempts.map((attempt) => attempt.id);
        return await withPartitions(this.#db, ids, () => recordAttempts(this.#db, attempts, this.#workerId));
      } catch (error) {
        if (isDataFault(error)) return this.#writeSingly(attempts, error);
        sparing(this.#log).warn({ err: error, attempts: attempts.length }, "attempts not written yet");
        if ((await pause(RETRY_MS, this.#giveUp)) === "aborted") return;
      }
    }
  }

  /** One attempt that cannot be written must not hold back the others of its batch. */
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
