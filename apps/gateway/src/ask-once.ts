import { within } from "@sluice/shared/runtime/within";

/** The time that the stores have to answer. Prometheus waits 10 s for the whole page. */
export const STORE_LIMIT_MS = 1_000;

/**
 * Asks a store for the gauges of one scrape, which share the question.
 * Failure policy: open. While the store is away there is no value, and the other values are not late.
 */
export function askOnce<T>(read: () => Promise<T>): () => Promise<T | undefined> {
  let asking: Promise<T | undefined> | undefined;
  return () =>
    (asking ??= within(STORE_LIMIT_MS, read())
      .catch(() => undefined)
      .finally(() => {
        asking = undefined;
      }));
}
