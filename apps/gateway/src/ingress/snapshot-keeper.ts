// Reads the snapshot of the sources at the start, and keeps the snapshot true. It is written after every change, and every
// five minutes so that its age says when PostgreSQL was last seen. Failure policy: open. A gateway without a snapshot works,
// but if it starts while PostgreSQL is away, it has to wait.

import type { Logger } from "@sluice/shared/runtime/log";
import type { MasterKey } from "@sluice/shared/settings/master-key";

import { readSnapshotFile, removeOldDrafts, snapshotPath, writeSnapshotFile } from "./snapshot-file.ts";
import { sealSnapshot, type SourceSnapshot, unsealSnapshot } from "./source-snapshot.ts";

const LOOK_EVERY_MS = 1_000;
const CONFIRM_EVERY_MS = 5 * 60_000;
/** The pause after a failed write: DATA_DIR is read-only, or its disk is full. */
const RETRY_MS = 60_000;
/**
 * A snapshot may contain secrets and tokens that were revoked while no gateway ran, so it must not be used for ever. After
 * an outage of this length no sender retries any more.
 */
const MAX_AGE_MS = 7 * 86_400_000;

export interface SnapshotKeeperDependencies {
  dataDir: string;
  masterKey: MasterKey;
  /**
   * Returns the content of the snapshot, with the same arrays until something changes. Returns undefined while PostgreSQL
   * does not confirm the content: a gateway without PostgreSQL MUST NOT overwrite the newer snapshot of another gateway.
   */
  readCurrent: () => SourceSnapshot | undefined;
  log: Logger;
}

/** @returns the snapshot in DATA_DIR, or undefined when there is no usable one. Never throws. */
export async function readSnapshot(
  dataDir: string,
  masterKey: MasterKey,
  log: Logger,
): Promise<SourceSnapshot | undefined> {
  const path = snapshotPath(dataDir);
  const ignore = (why: object) => {
    log.warn({ path, ...why }, "source snapshot ignored");
    return undefined;
  };
  try {
    const file = await readSnapshotFile(path);
    if (file === undefined) return undefined;
    const read = unsealSnapshot(masterKey, file);
    if ("fault" in read) return ignore({ reason: read.fault });
    const { snapshot } = read;
    if (Date.now() - snapshot.confirmedAt.getTime() > MAX_AGE_MS) return ignore({ reason: "it is older than a week" });
    return snapshot;
  } catch (error) {
    return ignore({ err: error });
  }
}

export class SnapshotKeeper {
  readonly #dependencies: SnapshotKeeperDependencies;
  readonly #path: string;
  #timer: NodeJS.Timeout | undefined;
  #written: SourceSnapshot | undefined;
  #writing: Promise<void> | undefined;
  /** After a failed write, the time of the next try. A value of `performance.now()`. */
  #retryAt: number | undefined;

  constructor(dependencies: SnapshotKeeperDependencies) {
    this.#dependencies = dependencies;
    this.#path = snapshotPath(dependencies.dataDir);
  }

  /** Writes the snapshot now, and from then on whenever that is due. */
  start(): void {
    const look = () => {
      if (this.#retryAt === undefined || performance.now() >= this.#retryAt) void this.#keep(CONFIRM_EVERY_MS);
    };
    this.#timer = setInterval(look, LOOK_EVERY_MS);
    look();
    removeOldDrafts(this.#path, Date.now()).catch(() => undefined);
  }

  /** Writes the snapshot a last time, so that the next start knows its age. */
  async close(): Promise<void> {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    await this.#writing;
    await this.#keep(0);
  }

  /** Writes the snapshot if that is due and no write is under way. Resolves at the end of the write. Never throws. */
  #keep(confirmEveryMs: number): Promise<void> {
    if (this.#writing !== undefined) return this.#writing;
    const snapshot = this.#dependencies.readCurrent();
    if (snapshot === undefined || !this.#isDue(snapshot, confirmEveryMs)) return Promise.resolve();
    this.#writing = this.#write(snapshot).finally(() => {
      this.#writing = undefined;
    });
    return this.#writing;
  }

  /** Whether the content changed, or the written confirmation is too old. */
  #isDue({ sources, keySets, confirmedAt }: SourceSnapshot, confirmEveryMs: number): boolean {
    const written = this.#written;
    if (written === undefined || written.sources !== sources || written.keySets !== keySets) return true;
    return confirmedAt.getTime() - written.confirmedAt.getTime() > confirmEveryMs;
  }

  async #write(snapshot: SourceSnapshot): Promise<void> {
    const { masterKey, log } = this.#dependencies;
    try {
      await writeSnapshotFile(this.#path, sealSnapshot(masterKey, snapshot));
      this.#written = snapshot;
    } catch (error) {
      // Only the first of several failures is logged, because the keeper tries again every minute.
      if (this.#retryAt === undefined) {
        log.warn({ err: error, path: this.#path }, "source snapshot not written: a restart waits for PostgreSQL");
      }
      this.#retryAt = performance.now() + RETRY_MS;
      return;
    }
    this.#retryAt = undefined;
  }
}
