// The sources by name, as this gateway knows them: PostgreSQL's, watched; before they could be had, those of the
// snapshot; and without one, none, which is no answer at all.

import { SluiceError } from "@sluice/shared/runtime/errors";
import type { Logger } from "@sluice/shared/runtime/log";
import type { MasterKey } from "@sluice/shared/settings/master-key";
import type { SigningSecret } from "@sluice/signature/secret";
import { retryWhileAway } from "@sluice/store/connection/connect";
import type { Database } from "@sluice/store/connection/database";
import { loadKeySets } from "@sluice/store/configuration/key-sets";
import { ConfigurationCopy } from "@sluice/store/configuration/configuration-copy";
import {
  GEMINI_SOURCE,
  loadStoredSources,
  openSource,
  type Source,
  type StoredSource,
} from "@sluice/store/configuration/sources";

import type { JwksCache } from "./jwks-cache.ts";
import { SnapshotKeeper } from "./snapshot-keeper.ts";
import type { SourceSnapshot } from "./source-snapshot.ts";

const RETRY_AFTER_SECONDS = 5;
/** Polls are twice a second: what PostgreSQL did not confirm for so long, it may know better. */
const CONFIRMED_WITHIN_MS = 5_000;

/** The sources by name, as the ingress asks for them. */
export interface SourceLookup {
  /** @throws SluiceError `unavailable` while no sources are known. */
  find: (name: string) => Source | undefined;
  /** Looks once more, when another gateway may have made or changed it. @returns the source if anything changed. */
  findNewer: (name: string, known: Source | undefined) => Promise<Source | undefined>;
}

export interface KnownSourcesDependencies {
  db: Database;
  masterKey: MasterKey;
  /** One more secret of the source `gemini`, which is stored nowhere. */
  geminiSecret: SigningSecret | undefined;
  keySets: JwksCache;
  dataDir: string;
  snapshot: SourceSnapshot | undefined;
  log: Logger;
}

interface Copy {
  stored: readonly StoredSource[];
  byName: ReadonlyMap<string, Source>;
}

export interface SourcesAge {
  /** Since PostgreSQL confirmed them. */
  seconds: number;
  /** Whether they were read from the snapshot, and PostgreSQL was not seen since this gateway's start. */
  isFromSnapshot: boolean;
}

export class KnownSources implements SourceLookup {
  readonly #dependencies: KnownSourcesDependencies;
  readonly #fromSnapshot: (Copy & { confirmedAtMs: number }) | undefined;
  readonly #keeper: SnapshotKeeper;
  #refreshed: ConfigurationCopy<Copy> | undefined;

  constructor(dependencies: KnownSourcesDependencies) {
    this.#dependencies = dependencies;
    const { snapshot, keySets, dataDir, masterKey, log } = dependencies;
    if (snapshot !== undefined) {
      this.#fromSnapshot = { ...this.#open(snapshot.sources), confirmedAtMs: snapshot.confirmedAt.getTime() };
      keySets.adopt(snapshot.keySets);
    }
    this.#keeper = new SnapshotKeeper({ dataDir, masterKey, take: () => this.#take(), log });
  }

  /** Loads what PostgreSQL has, waiting for it, and watches it from then on. @throws what waiting does not mend. */
  async watch(signal: AbortSignal): Promise<void> {
    const { db, keySets, log } = this.#dependencies;
    const load = async () => {
      const copy = this.#open(await loadStoredSources(db));
      keySets.adopt(await loadKeySets(db));
      return copy;
    };
    const refreshed = await retryWhileAway(() => ConfigurationCopy.open(db, load, log), { signal, log });
    if (refreshed === undefined) return;
    if (signal.aborted) return refreshed.close();
    this.#refreshed = refreshed;
    this.#keeper.start();
  }

  /** @throws SluiceError `unavailable` while none are known. */
  find(name: string): Source | undefined {
    const copy = this.#refreshed?.current.value ?? this.#fromSnapshot;
    // Failure policy: closed. Whether there is such a source is not known, so the sender comes back.
    if (copy === undefined) {
      throw new SluiceError("unavailable", "The sources are not known yet", { retryAfterSeconds: RETRY_AFTER_SECONDS });
    }
    return copy.byName.get(name);
  }

  async findNewer(name: string, known: Source | undefined): Promise<Source | undefined> {
    const refreshed = this.#refreshed;
    if (refreshed === undefined) return undefined;
    const { current } = refreshed;
    const source = current.value.byName.get(name);
    // What is known was taken of an older copy when another request had this one brought.
    if (source !== known) return source;
    return (await refreshed.waitForNewer(current))?.value.byName.get(name);
  }

  /** Resolves when what was committed before is known. @throws when PostgreSQL is away. */
  async refresh(): Promise<void> {
    await this.#refreshed?.refresh();
  }

  /** How old they may be; undefined while none are known. */
  age(): SourcesAge | undefined {
    const confirmedAtMs = (this.#refreshed ?? this.#fromSnapshot)?.confirmedAtMs;
    if (confirmedAtMs === undefined) return undefined;
    const seconds = Math.max(0, Math.round((Date.now() - confirmedAtMs) / 1000));
    return { seconds, isFromSnapshot: this.#refreshed === undefined };
  }

  async close(): Promise<void> {
    await this.#keeper.close();
    await this.#refreshed?.close();
  }

  #open(stored: readonly StoredSource[]): Copy {
    const { masterKey, geminiSecret } = this.#dependencies;
    const sources = stored.map((each) => openSource(masterKey, each));
    const gemini = sources.find(({ name }) => name === GEMINI_SOURCE);
    if (geminiSecret !== undefined) gemini?.hmacKeys.push({ key: geminiSecret.key, expiresAtMs: undefined });
    return { stored, byName: new Map(sources.map((source) => [source.name, source])) };
  }

  #take(): SourceSnapshot | undefined {
    const refreshed = this.#refreshed;
    if (refreshed === undefined || Date.now() - refreshed.confirmedAtMs > CONFIRMED_WITHIN_MS) return undefined;
    const confirmedAt = new Date(refreshed.confirmedAtMs);
    return { confirmedAt, sources: refreshed.current.value.stored, keySets: this.#dependencies.keySets.stored };
  }
}
