// The key sets of dynamic sources. The last good one serves for as long as the endpoint is down; a set that gets
// old is refreshed behind the requests; a key that is not known brings one fetch forward. However many requests
// come, fetches are bounded by the clock.

import type { Logger } from "@sluice/shared/runtime/log";
import { type KeySet, readKeySet } from "@sluice/signature/jwks";
import type { StoredKeySet } from "@sluice/store/configuration/key-sets";

import type { FetchedKeySet } from "./fetch-key-set.ts";

/** Cache headers are honoured within these. */
const MIN_AGE_MS = 60_000;
const MAX_AGE_MS = 6 * 3_600_000;
const DEFAULT_AGE_MS = 3_600_000;
/** Between two fetches that unknown keys asked for: a flood of forged requests costs the endpoint two a minute. */
const UNKNOWN_KEY_COOLDOWN_MS = 30_000;
/** After a fetch that failed. */
const FAILURE_COOLDOWN_MS = 5_000;

export interface JwksCacheDependencies {
  /** @throws when there is no document. */
  fetchKeySet: (uri: string) => Promise<FetchedKeySet>;
  save: (keySet: StoredKeySet) => Promise<void>;
  now: () => number;
  log: Logger;
}

interface Entry {
  keySet: KeySet | undefined;
  /** What was published, to tell a change. */
  text: string;
  fetchedAtMs: number;
  staleAtMs: number;
  /** No fetch before this. */
  notBeforeMs: number;
  fetching: Promise<void> | undefined;
}

export class JwksCache {
  readonly #dependencies: JwksCacheDependencies;
  readonly #entries = new Map<string, Entry>();
  #stored: StoredKeySet[] | undefined;

  constructor(dependencies: JwksCacheDependencies) {
    this.#dependencies = dependencies;
  }

  /** Takes what is newer of the sets that others fetched, or earlier processes. An old one is refreshed when it is asked for. */
  adopt(keySets: readonly StoredKeySet[]): void {
    for (const { uri, document, fetchedAt } of keySets) {
      const entry = this.#entryOf(uri);
      const keySet = readKeySet(document);
      if (keySet === undefined || entry.fetchedAtMs >= fetchedAt.getTime()) continue;
      this.#replace(entry, keySet, document, fetchedAt.getTime());
    }
  }

  /** The last good sets, as they are stored: another array after each change, and only then. */
  get stored(): readonly StoredKeySet[] {
    return (this.#stored ??= [...this.#entries].flatMap(([uri, { keySet, text, fetchedAtMs }]) =>
      keySet === undefined ? [] : [{ uri, document: JSON.parse(text) as unknown, fetchedAt: new Date(fetchedAtMs) }],
    ));
  }

  /** The key set of an endpoint; undefined while none was ever had. Waits for a fetch only then. */
  async get(uri: string): Promise<KeySet | undefined> {
    const entry = this.#entryOf(uri);
    const now = this.#dependencies.now();
    if (now >= entry.staleAtMs && now >= entry.notBeforeMs) void this.#fetch(uri, entry);
    if (entry.keySet === undefined) await entry.fetching;
    return entry.keySet;
  }

  /**
   * For a signature by no known key: fetches once more, unless that was done just now.
   * @param known the set that the signature was judged by.
   * @returns the set when it is another one.
   */
  async refetch(uri: string, known: KeySet | undefined): Promise<KeySet | undefined> {
    const entry = this.#entryOf(uri);
    // While the signature was judged, another request may have brought the new set, and with it the cooldown.
    if (entry.keySet === known) {
      if (entry.fetching === undefined && this.#dependencies.now() < entry.notBeforeMs) return undefined;
      await this.#fetch(uri, entry);
    }
    return entry.keySet === known ? undefined : entry.keySet;
  }

  #entryOf(uri: string): Entry {
    const known = this.#entries.get(uri);
    if (known !== undefined) return known;
    const never = Number.NEGATIVE_INFINITY;
    const entry: Entry = {
      keySet: undefined,
      text: "",
      fetchedAtMs: never,
      staleAtMs: never,
      notBeforeMs: never,
      fetching: undefined,
    };
    this.#entries.set(uri, entry);
    return entry;
  }

  #replace(entry: Entry, keySet: KeySet, document: unknown, fetchedAtMs: number): void {
    Object.assign(entry, { keySet, text: JSON.stringify(document), fetchedAtMs });
    this.#stored = undefined;
  }

  /** One fetch at a time for an endpoint; never throws. */
  #fetch(uri: string, entry: Entry): Promise<void> {
    entry.fetching ??= this.#fetchOnce(uri, entry).finally(() => {
      entry.fetching = undefined;
    });
    return entry.fetching;
  }

  async #fetchOnce(uri: string, entry: Entry): Promise<void> {
    const { fetchKeySet, save, now, log } = this.#dependencies;
    try {
      const { document, maxAgeMs = DEFAULT_AGE_MS } = await fetchKeySet(uri);
      const keySet = readKeySet(document);
      if (keySet === undefined) throw new Error("the document holds no key of use");
      entry.staleAtMs = now() + Math.min(Math.max(maxAgeMs, MIN_AGE_MS), MAX_AGE_MS);
      entry.notBeforeMs = now() + UNKNOWN_KEY_COOLDOWN_MS;
      if (JSON.stringify(document) === entry.text) return;
      this.#replace(entry, keySet, document, now());
      // Not awaited, so that no request waits for the store. Failure policy: open. The set is good, and also in the
      // gateway's snapshot; only another gateway that starts while the endpoint is down would miss it.
      save({ uri, document, fetchedAt: new Date(entry.fetchedAtMs) }).catch((error: unknown) =>
        log.warn({ err: error, uri }, "key set not stored"),
      );
    } catch (error) {
      // Failure policy: open. The last good set goes on serving; without one, requests are answered with 503.
      entry.notBeforeMs = now() + FAILURE_COOLDOWN_MS;
      log.warn({ err: error, uri, serving: entry.keySet !== undefined }, "key set not fetched");
    }
  }
}
