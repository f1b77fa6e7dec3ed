// Caches the key sets of dynamic sources. The last good set stays in use while its endpoint is down. An old set is fetched
// again in the background. An unknown key causes an earlier fetch. Cooldowns limit the fetches, however many requests come.

import type { Logger } from "@sluice/shared/runtime/log";
import { type KeySet, readKeySet } from "@sluice/signature/jwks";
import type { StoredKeySet } from "@sluice/store/configuration/key-sets";

import type { FetchedKeySet } from "./fetch-key-set.ts";

/** The age from the cache headers is kept between these two limits. */
const MIN_AGE_MS = 60_000;
const MAX_AGE_MS = 6 * 3_600_000;
const DEFAULT_AGE_MS = 3_600_000;
/** After each good fetch, unknown keys cause no fetch for this time. A flood of forged requests causes two a minute. */
const UNKNOWN_KEY_COOLDOWN_MS = 30_000;
/** After a failed fetch there is no other fetch for this time. */
const FAILURE_COOLDOWN_MS = 5_000;

export interface JwksCacheDependencies {
  /** @throws Error when the endpoint does not send a document. */
  fetchKeySet: (uri: string) => Promise<FetchedKeySet>;
  save: (keySet: StoredKeySet) => Promise<void>;
  now: () => number;
  log: Logger;
}

interface CachedKeySet {
  /** The last good set. Undefined until the first one. */
  keySet: KeySet | undefined;
  /** The document of the set as JSON. A different text means a different set. */
  text: string;
  fetchedAtMs: number;
  /** From this time on the set is old. */
  staleAtMs: number;
  /** Before this time no fetch may start. */
  notBeforeMs: number;
  /** The fetch under way. */
  fetching: Promise<void> | undefined;
}

export class JwksCache {
  readonly #dependencies: JwksCacheDependencies;
  /** By the URI of the endpoint. */
  readonly #entries = new Map<string, CachedKeySet>();
  /** The result of `stored` until the next change. */
  #stored: StoredKeySet[] | undefined;

  constructor(dependencies: JwksCacheDependencies) {
    this.#dependencies = dependencies;
  }

  /**
   * Takes the sets that other gateways or earlier processes fetched, where they are newer. The first `get` of an endpoint
   * fetches its set again all the same.
   */
  adopt(keySets: readonly StoredKeySet[]): void {
    for (const { uri, document, fetchedAt } of keySets) {
      const entry = this.#entryOf(uri);
      const keySet = readKeySet(document);
      if (keySet === undefined || entry.fetchedAtMs >= fetchedAt.getTime()) continue;
      this.#replace(entry, keySet, document, fetchedAt.getTime());
    }
  }

  /** The last good sets in the form of the store. A new array after each change, otherwise the same array. */
  get stored(): readonly StoredKeySet[] {
    return (this.#stored ??= [...this.#entries].flatMap(([uri, { keySet, text, fetchedAtMs }]) =>
      keySet === undefined ? [] : [{ uri, document: JSON.parse(text) as unknown, fetchedAt: new Date(fetchedAtMs) }],
    ));
  }

  /** @returns the last good key set of an endpoint. Waits for a fetch only when there is none, and may return undefined then. */
  async get(uri: string): Promise<KeySet | undefined> {
    const entry = this.#entryOf(uri);
    const now = this.#dependencies.now();
    if (now >= entry.staleAtMs && now >= entry.notBeforeMs) void this.#fetch(uri, entry);
    if (entry.keySet === undefined) await entry.fetching;
    return entry.keySet;
  }

  /**
   * Fetches the set again for a signature that no known key fits, unless there was a fetch a moment ago.
   * @param known the set that the signature was judged with.
   * @returns the current set when it is not the known one.
   */
  async refetch(uri: string, known: KeySet | undefined): Promise<KeySet | undefined> {
    const entry = this.#entryOf(uri);
    // If the set is another one, a different request fetched it while this signature was judged. Its cooldown has begun.
    if (entry.keySet === known) {
      if (entry.fetching === undefined && this.#dependencies.now() < entry.notBeforeMs) return undefined;
      await this.#fetch(uri, entry);
    }
    return entry.keySet === known ? undefined : entry.keySet;
  }

  #entryOf(uri: string): CachedKeySet {
    const known = this.#entries.get(uri);
    if (known !== undefined) return known;
    const never = Number.NEGATIVE_INFINITY;
    const entry: CachedKeySet = {
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

  #replace(entry: CachedKeySet, keySet: KeySet, document: unknown, fetchedAtMs: number): void {
    Object.assign(entry, { keySet, text: JSON.stringify(document), fetchedAtMs });
    this.#stored = undefined;
  }

  /** There is one fetch at a time for each endpoint. Never throws. */
  #fetch(uri: string, entry: CachedKeySet): Promise<void> {
    entry.fetching ??= this.#fetchOnce(uri, entry).finally(() => {
      entry.fetching = undefined;
    });
    return entry.fetching;
  }

  async #fetchOnce(uri: string, entry: CachedKeySet): Promise<void> {
    const { fetchKeySet, save, now, log } = this.#dependencies;
    try {
      const { document, maxAgeMs = DEFAULT_AGE_MS } = await fetchKeySet(uri);
      const keySet = readKeySet(document);
      if (keySet === undefined) throw new Error("the document has no usable key");
      entry.staleAtMs = now() + Math.min(Math.max(maxAgeMs, MIN_AGE_MS), MAX_AGE_MS);
      entry.notBeforeMs = now() + UNKNOWN_KEY_COOLDOWN_MS;
      if (JSON.stringify(document) === entry.text) return;
      this.#replace(entry, keySet, document, now());
      // Not awaited, so that no request waits for PostgreSQL. Failure policy: open. The set is in use and in the snapshot of
      // this gateway. Only another gateway that starts while the endpoint is down would not have it.
      save({ uri, document, fetchedAt: new Date(entry.fetchedAtMs) }).catch((error: unknown) =>
        log.warn({ err: error, uri }, "key set not stored"),
      );
    } catch (error) {
      // Failure policy: open. The last good set stays in use. Without one, requests are answered with 503.
      entry.notBeforeMs = now() + FAILURE_COOLDOWN_MS;
      log.warn({ err: error, uri, serving: entry.keySet !== undefined }, "key set not fetched");
    }
  }
}
