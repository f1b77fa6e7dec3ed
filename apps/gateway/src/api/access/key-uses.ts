// When each key was used last, to the minute and off the way of the requests: an operator looks whether a key is still
// in use, and no request is worth a write for that.

import type { Logger } from "@sluice/shared/runtime/log";
import { noteKeyUse } from "@sluice/store/configuration/api-keys";
import type { Database } from "@sluice/store/connection/database";

const EVERY_MS = 60_000;

export class KeyUses {
  readonly #db: Database;
  readonly #log: Logger;
  /** When each key was noted, by `performance.now()`. Only valid keys get here, so there are few. */
  readonly #notedAt = new Map<string, number>();

  constructor(db: Database, log: Logger) {
    this.#db = db;
    this.#log = log;
  }

  note(id: string): void {
    const nowMs = performance.now();
    if (nowMs - (this.#notedAt.get(id) ?? Number.NEGATIVE_INFINITY) < EVERY_MS) return;
    this.#notedAt.set(id, nowMs);
    // Failure policy: open. The next use a minute later is noted again.
    noteKeyUse(this.#db, id).catch((error: unknown) => this.#log.warn({ err: error }, "use of a key not noted"));
  }
}
