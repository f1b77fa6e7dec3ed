// Records when each API key was last used, to the minute, so that an operator can see whether a key is still in use. A
// request never waits for this write.

import type { Logger } from "@sluice/shared/runtime/log";
import { noteKeyUse } from "@sluice/store/configuration/api-keys";
import type { Database } from "@sluice/store/connection/database";

const INTERVAL_MS = 60_000;

export class KeyUses {
  readonly #db: Database;
  readonly #log: Logger;
  /** The time of each key's last write, by `performance.now()`. Only valid keys are noted, so the map stays small. */
  readonly #notedAtMs = new Map<string, number>();

  constructor(db: Database, log: Logger) {
    this.#db = db;
    this.#log = log;
  }

  /** @param id the UUID of a valid key. */
  note(id: string): void {
    const nowMs = performance.now();
    if (nowMs - (this.#notedAtMs.get(id) ?? Number.NEGATIVE_INFINITY) < INTERVAL_MS) return;
    this.#notedAtMs.set(id, nowMs);
    // Failure policy: open. The first use after a minute tries the write again.
    noteKeyUse(this.#db, id).catch((error: unknown) => this.#log.warn({ err: error }, "use of a key not noted"));
  }
}
