// Reads the snapshot at start and keeps it true: written whenever what it holds changed, and every five minutes so
// that its age means something. Failure policy: open. A gateway without a snapshot works; it only has to wait for
// PostgreSQL should it be started again while that is away.

import type { Logger } from "@sluice/shared/runtime/log";
import type { MasterKey } from "@sluice/shared/settings/master-key";

import { readSnapshotFile, removeOldDrafts, snapshotPath, writeSnapshotFile } from "./snapshot-file.ts";
import { sealSnapshot, type SourceSnapshot, unsealSnapshot } from "./source-snapshot.ts";

const LOOK_EVERY_MS = 1_000;
const CONFIRM_EVERY_MS = 5 * 60_000;
/** After a write that failed: DATA_DIR cannot be written to, or its disk is full. */
const RETRY_MS = 60_000;
/**
 * What was revoked while no gateway was there to see it is taken from a snapshot, so that has an end. An outage
 * that lasts longer has outlasted every sender's retries.
 */
const MAX_AGE_MS = 7 * 86_400_000;

export interface SnapshotKeeperDependencies {
  dataDir: string;
  masterKey: MasterKey;
  /**
   * What is to be kept; the same arrays for as long as nothing changed. Undefined while it is not PostgreSQL's: a
   * gateway that is cut off MUST NOT write over what another, which is not, wrote.
   */
  take: () => SourceSnapshot | undefined;
  log: Logger;
}

/** The snapshot in DATA_DIR, when there is one that can be used. Never throws. */
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
    if (Date.now() - snapshot.confirmedAt.getTime() > MAX_AGE_MS) return ignore({ reason: "it is a week old" });
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
  #notBeforeMs = Number.NEGATIVE_INFINITY;

  constructor(dependencies: SnapshotKeeperDependencies) {
    this.#dependencies = dependencies;
    this.#path = snapshotPath(dependencies.dataDir);
  }

  /** From now on, and at once. */
  start(): void {
    const look = () => {
      if (performance.now() >= this.#notBeforeMs) void this.#keep(CONFIRM_EVERY_MS);
    };
    this.#timer = setInterval(look, LOOK_EVERY_MS);
    look();
    removeOldDrafts(this.#path, Date.now()).catch(() => undefined);
  }

  /** Writes what is known at the end, so that the next start knows how old it is. */
  async close(): Promise<void> {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    await this.#writing;
    await this.#keep(0);
  }

  /** One write at a time. Never throws. */
  #keep(confirmEveryMs: number): Promise<void> {
    const snapshot = this.#dependencies.take();
    if (this.#writing !== undefined || snapshot === undefined || !this.#isNews(snapshot, confirmEveryMs)) {
      return this.#writing ?? Promise.resolve();
    }
    this.#writing = this.#write(snapshot).finally(() => {
      this.#writing = undefined;
    });
    return this.#writing;
  }

  #isNews({ sources, keySets, confirmedAt }: SourceSnapshot, confirmEveryMs: number): boolean {
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
      // Said once, and again after it went well: it is tried every minute.
      if (this.#notBeforeMs === Number.NEGATIVE_INFINITY) {
        log.warn({ err: error, path: this.#path }, "source snapshot not written: a restart waits for PostgreSQL");
      }
      this.#notBeforeMs = performance.now() + RETRY_MS;
      return;
    }
    this.#notBeforeMs = Number.NEGATIVE_INFINITY;
  }
}
