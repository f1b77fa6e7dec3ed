// What was set aside in each store of the queue, as one list: newest first, by positions that stay right while jobs come
// and go. An id names the store and its job.

import type { SetAsideJob, SetAsidePosition, SetAsideStore } from "@sluice/queue/queue";
import type { StoreName } from "@sluice/queue/queue";
import { SluiceError } from "@sluice/shared/runtime/errors";

import { invalidCursor } from "../http/cursor.ts";

const RETRY_AFTER_SECONDS = 5;
const RETRY_PAGE = 100;

export interface SetAsideEntry extends SetAsideJob {
  store: StoreName;
}

/** Where an entry stands in the list. */
interface Place extends SetAsidePosition {
  store: StoreName;
}

const isAfter = (a: Place, b: Place) =>
  b.failedAtMs - a.failedAtMs || (a.store === b.store ? (a.id < b.id ? 1 : -1) : a.store < b.store ? 1 : -1);

/** The entries from a cursor on, while their data is within `maxBytes`, but at least one. @throws SluiceError */
export async function listSetAside(
  stores: readonly SetAsideStore[],
  cursor: string | undefined,
  limit: number,
  maxBytes: number,
): Promise<{ entries: SetAsideEntry[]; nextCursor: string | null }> {
  const from: Place = cursor === undefined ? { failedAtMs: Infinity, store: "redis", id: "" } : readCursor(cursor);
  const places = await ask(() =>
    Promise.all(
      stores.map(async (one) => {
        const positions = await one.positions(startIn(one.store, from), limit + 1);
        return positions.map((position): Place => ({ ...position, store: one.store }));
      }),
    ),
  );
  const merged = places.flat().toSorted(isAfter);
  const entries: SetAsideEntry[] = [];
  let bytes = 0;
  let last: Place | undefined;
  let isCut = false;
  for (const place of merged.slice(0, limit)) {
    const entry = await readEntry(stores, place);
    bytes += entry?.data.length ?? 0;
    isCut = entries.length > 0 && bytes > maxBytes;
    if (isCut) break;
    last = place;
    if (entry !== undefined) entries.push(entry);
  }
  const hasMore = isCut || merged.length > limit;
  return { entries, nextCursor: hasMore && last !== undefined ? writeCursor(last) : null };
}

/** @throws SluiceError `not_found` */
export async function findSetAside(
  stores: readonly SetAsideStore[],
  text: string,
): Promise<{ entry: SetAsideEntry; store: SetAsideStore }> {
  const [, name, id = ""] = /^([a-z]+)-(.+)$/s.exec(text) ?? [];
  const store = stores.find((one) => one.store === name);
  const job = store && (await ask(() => store.read(id)));
  if (store === undefined || job === undefined) throw noSuchEvent();
  return { store, entry: { ...job, store: store.store } };
}

/**
 * Each once: what fails meanwhile, also again, is newer than where the walk is. Not by BullMQ's own retry of all, which
 * on PostgreSQL counts the starts anew.
 * @returns how many were started.
 */
export async function retryAllSetAside(stores: readonly SetAsideStore[]): Promise<number> {
  let count = 0;
  for (const store of stores) {
    let before: SetAsidePosition | undefined = { failedAtMs: Number.MAX_SAFE_INTEGER, id: "" };
    while (before !== undefined) {
      const from: SetAsidePosition = before;
      const positions = await ask(() => store.positions(from, RETRY_PAGE));
      for (const { id } of positions) if (await ask(() => store.retry(id))) count += 1;
      before = positions.at(-1);
    }
  }
  return count;
}

/** @throws SluiceError `unavailable` where a store is away: a list without its part would look like all there is. */
export async function ask<T>(question: () => Promise<T>): Promise<T> {
  try {
    return await question();
  } catch (error) {
    const message = "A store of the queue is not available";
    throw new SluiceError("unavailable", message, { retryAfterSeconds: RETRY_AFTER_SECONDS, cause: error });
  }
}

export const noSuchEvent = () => new SluiceError("not_found", "There is no event set aside with this id");

async function readEntry(stores: readonly SetAsideStore[], place: Place): Promise<SetAsideEntry | undefined> {
  const job = await ask(async () => stores.find(({ store }) => store === place.store)?.read(place.id));
  return job && { ...job, store: place.store };
}

/** The position in one store at which the list goes on after a place in any. */
function startIn(store: StoreName, { failedAtMs, store: placed, id }: Place): SetAsidePosition {
  // As high as a position of BullMQ's can be.
  const atMs = Math.min(failedAtMs, Number.MAX_SAFE_INTEGER);
  if (store === placed) return { failedAtMs: atMs, id };
  // Of what failed in the same millisecond, "redis" comes before "postgres".
  return { failedAtMs: store < placed ? atMs + 1 : atMs, id: "" };
}

function writeCursor({ failedAtMs, store, id }: Place): string {
  return Buffer.from(JSON.stringify(["set-aside", failedAtMs, store, id])).toString("base64url");
}

function readCursor(cursor: string): Place {
  try {
    const [list, failedAtMs, store, id]: unknown[] = JSON.parse(Buffer.from(cursor, "base64url").toString());
    if (list === "set-aside" && Number.isSafeInteger(failedAtMs) && typeof id === "string") {
      if (store === "redis" || store === "postgres") return { failedAtMs: failedAtMs as number, store, id };
    }
  } catch {
    // Neither JSON nor a list.
  }
  throw invalidCursor("is not a cursor of this list");
}
