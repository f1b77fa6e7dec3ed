// The sources that this gateway knows, by name. They come from PostgreSQL, which the gateway watches for changes. Until
// PostgreSQL answers, they come from the snapshot. Without a snapshot, nobody knows whether a source exists.

import { SluiceError } from "@sluice/shared/runtime/errors";
import type { Logger } from "@sluice/shared/runtime/log";
import type { MasterKey } from "@sluice/shared/settings/master-key";
import type { SigningSecret } from "@sluice/signature/secret";
import { ConfigurationCopy, type ConfigurationPart } from "@sluice/store/configuration/configuration-copy";
import { loadKeySets } from "@sluice/store/configuration/key-sets";
import {
  GEMINI_SOURCE,
  loadStoredSources,
  openSource,
  type Source,
  type StoredSource,
} from "@sluice/store/configuration/sources";
import { readRevision } from "@sluice/store/connection/configuration-revision";
import { retryWhileAway } from "@sluice/store/connection/connect";
import type { Database } from "@sluice/store/connection/database";

import type { JwksCache } from "./jwks-cache.ts";
import { SnapshotKeeper } from "./snapshot-keeper.ts";
import type { SourceSnapshot } from "./source-snapshot.ts";

const RETRY_AFTER_SECONDS = 5;
/** The gateway asks PostgreSQL twice a second. Sources without a confirmation for so long may be out of date. */
const CONFIRMED_WITHIN_MS = 5_000;

/** The part of {@link KnownSources} that the ingress needs. */
export interface SourceLookup {
  /** @throws SluiceError `unavailable` while the gateway knows no sources. */
  find: (name: string) => Source | undefined;
  /**
   * Asks PostgreSQL again, because another gateway may have created or changed the source.
   * @param known the source that the request was judged with.
   * @returns the source if any source changed, otherwise undefined.
   */
  findNewer: (name: string, known: Source | undefined) => Promise<Source | undefined>;
}

export interface KnownSourcesDependencies {
  db: Database;
  masterKey: MasterKey;
  /** The secret from GEMINI_SIGNING_SECRET. The source `gemini` has it in addition to its stored secrets. */
  geminiSecret: SigningSecret | undefined;
  keySets: JwksCache;
  dataDir: string;
  snapshot: SourceSnapshot | undefined;
  /** The identity of this relay; undefined until it is known. */
  relayId: () => string | undefined;
  log: Logger;
}

interface LoadedSources {
  stored: readonly StoredSource[];
  byName: ReadonlyMap<string, Source>;
}

export interface SourcesAge {
  /** The time since PostgreSQL confirmed the sources. */
  seconds: number;
  /** Whether the sources come from the snapshot, because the gateway has not loaded any from PostgreSQL yet. */
  isFromSnapshot: boolean;
}

export class KnownSources implements SourceLookup {
  readonly #dependencies: KnownSourcesDependencies;
  readonly #fromSnapshot: (LoadedSources & { confirmedAtMs: number }) | undefined;
  readonly #keeper: SnapshotKeeper;
  /** The sources in PostgreSQL. Undefined until the first load. */
  #copy: ConfigurationCopy<LoadedSources> | undefined;

  constructor(dependencies: KnownSourcesDependencies) {
    this.#dependencies = dependencies;
    const { snapshot, keySets, dataDir, masterKey, log } = dependencies;
    if (snapshot !== undefined) {
      this.#fromSnapshot = { ...this.#open(snapshot.sources), confirmedAtMs: snapshot.confirmedAt.getTime() };
      keySets.adopt(snapshot.keySets);
    }
    this.#keeper = new SnapshotKeeper({ dataDir, masterKey, readCurrent: () => this.#readCurrent(), log });
  }

  /**
   * Loads the sources from PostgreSQL and watches them from then on. Waits while PostgreSQL is away.
   * @throws an error that does not pass by itself.
   */
  async watch(signal: AbortSignal): Promise<void> {
    const { db, keySets, log } = this.#dependencies;
    const part: ConfigurationPart<LoadedSources> = {
      name: "sources",
      // Always all of them: they are few, and no target counts as a change of theirs.
      load: async () => {
        // Read first: a change in between makes the sources newer than their revision, never older.
        const revision = await readRevision(db, "sources");
        const value = this.#open(await loadStoredSources(db));
        keySets.adopt(await loadKeySets(db));
        return { revision, value };
      },
    };
    const refreshed = await retryWhileAway(() => ConfigurationCopy.open(db, part, log), { signal, log });
    if (refreshed === undefined) return;
    if (signal.aborted) return refreshed.close();
    this.#copy = refreshed;
    this.#keeper.start();
  }

  /** @throws SluiceError `unavailable` while the gateway knows no sources. */
  find(name: string): Source | undefined {
    const loaded = this.#copy?.current.value ?? this.#fromSnapshot;
    // Failure policy: closed. Nobody knows whether the source exists, so the sender should come back.
    if (loaded === undefined) {
      const detail = "The relay has not loaded its sources from PostgreSQL yet; the sender should retry";
      throw new SluiceError("unavailable", detail, { retryAfterSeconds: RETRY_AFTER_SECONDS });
    }
    return loaded.byName.get(name);
  }

  async findNewer(name: string, known: Source | undefined): Promise<Source | undefined> {
    const refreshed = this.#copy;
    if (refreshed === undefined) return undefined;
    const { current } = refreshed;
    const source = current.value.byName.get(name);
    // Another request has already loaded newer sources since this request took its source.
    if (source !== known) return source;
    return (await refreshed.waitForNewer(current))?.value.byName.get(name);
  }

  /** Resolves when the gateway knows every change that was committed before the call. @throws when PostgreSQL is away. */
  async refresh(): Promise<void> {
    await this.#copy?.refresh();
  }

  /** @returns the age of the sources, or undefined while the gateway knows none. */
  age(): SourcesAge | undefined {
    const confirmedAtMs = (this.#copy ?? this.#fromSnapshot)?.confirmedAtMs;
    if (confirmedAtMs === undefined) return undefined;
    const seconds = Math.max(0, Math.round((Date.now() - confirmedAtMs) / 1000));
    return { seconds, isFromSnapshot: this.#copy === undefined };
  }

  async close(): Promise<void> {
    await this.#keeper.close();
    await this.#copy?.close();
  }

  #open(stored: readonly StoredSource[]): LoadedSources {
    const { masterKey, geminiSecret } = this.#dependencies;
    const sources = stored.map((each) => openSource(masterKey, each));
    const gemini = sources.find(({ name }) => name === GEMINI_SOURCE);
    if (geminiSecret !== undefined) gemini?.hmacKeys.push({ key: geminiSecret.key, expiresAtMs: undefined });
    return { stored, byName: new Map(sources.map((source) => [source.name, source])) };
  }

  /** @returns the sources and key sets for the snapshot, or undefined when PostgreSQL has not confirmed them lately. */
  #readCurrent(): SourceSnapshot | undefined {
    const refreshed = this.#copy;
    if (refreshed === undefined || Date.now() - refreshed.confirmedAtMs > CONFIRMED_WITHIN_MS) return undefined;
    const confirmedAt = new Date(refreshed.confirmedAtMs);
    const relayId = this.#dependencies.relayId();
    return {
      confirmedAt,
      relayId,
      sources: refreshed.current.value.stored,
      keySets: this.#dependencies.keySets.stored,
    };
  }
}
