// Merges what each store of the queue has set aside into one list, newest first. Cursors are positions in that list,
// which stay valid while jobs are added and removed. The id of an entry is the name of its store and the id of its job.

import type { SetAsideJob, SetAsidePosition, SetAsideStore, StoreName } from "@sluice/queue/queue";
import { SluiceError } from "@sluice/shared/runtime/errors";

import { invalidCursor, sealCursor, unsealCursor } from "../http/cursor.ts";

const RETRY_AFTER_SECONDS = 5;
const RETRY_PAGE = 100;

export interface SetAsideEntry extends SetAsideJob {
  store: StoreName;
}

/** The place of an entry in the merged list. */
interface Place extends SetAsidePosition {
  store: StoreName;
}

/** Sorts the newest first; in one millisecond by store and then by id, both descending. */
const comparePlaces = (a: Place, b: Place) =>
  b.failedAtMs - a.failedAtMs || (a.store === b.store ? (a.id < b.id ? 1 : -1) : a.store < b.store ? 1 : -1);

/**
 * A page of entries: up to `limit`, and fewer when their data would be larger than `maxBytes`, but at least one.
 * @throws SluiceError `invalid_cursor`, or `unavailable` when a store is away
 */
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
  const merged = places.flat().toSorted(comparePlaces);
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

/** @throws SluiceError `not_found`, or `unavailable` when the store is away */
export async function findSetAside(
  stores: readonly SetAsideStore[],
  text: string,
): Promise<{ entry: SetAsideEntry; store: SetAsideStore }> {
  const [, name, id = ""] = /^([a-z]+)-(.+)$/s.exec(text) ?? [];
  const store = stores.find((one) => one.store === name);
  const job = store && (await ask(() => store.read(id)));
  if (store === undefined || job === undefined) throw setAsideNotFound();
  return { store, entry: { ...job, store: store.store } };
}

/** How many entries there are now. @throws SluiceError `unavailable` when a store is away */
export async function countSetAside(stores: readonly SetAsideStore[]): Promise<number> {
  const counts = await ask(() => Promise.all(stores.map((store) => store.count())));
  return counts.reduce((sum, count) => sum + count, 0);
}

/**
 * Retries every entry once. An entry that fails during the walk, also for a second time, is newer than the walk's
 * position, so the walk does not meet it again. BullMQ's own retry of all jobs is no alternative: on PostgreSQL it
 * resets `starts`.
 * @returns the number of retried entries.
 * @throws SluiceError `unavailable` when a store is away
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

/**
 * Runs a call to a store. Failure policy: closed, because a list without the part of one store would look complete.
 * @throws SluiceError `unavailable` when the call fails
 */
export async function ask<T>(question: () => Promise<T>): Promise<T> {
  try {
    return await question();
  } catch (error) {
    const message = "A store of the queue does not answer; try again when it is back";
    throw new SluiceError("unavailable", message, { retryAfterSeconds: RETRY_AFTER_SECONDS, cause: error });
  }
}

export const setAsideNotFound = () => new SluiceError("not_found", "There is no set-aside event with this id");

async function readEntry(stores: readonly SetAsideStore[], place: Place): Promise<SetAsideEntry | undefined> {
  const job = await ask(async () => stores.find(({ store }) => store === place.store)?.read(place.id));
  return job && { ...job, store: place.store };
}

/** Translates a place in the merged list into the position from which one store is read. */
function startIn(store: StoreName, { failedAtMs, store: placed, id }: Place): SetAsidePosition {
  // The highest position that BullMQ takes.
  const atMs = Math.min(failedAtMs, Number.MAX_SAFE_INTEGER);
  if (store === placed) return { failedAtMs: atMs, id };
  // Among entries of one millisecond, those of "redis" come before those of "postgres".
  return { failedAtMs: store < placed ? atMs + 1 : atMs, id: "" };
}

function writeCursor({ failedAtMs, store, id }: Place): string {
  return sealCursor(Buffer.from(JSON.stringify(["set-aside", failedAtMs, store, id])));
}

function readCursor(cursor: string): Place {
  const content = unsealCursor(cursor);
  try {
    const [list, failedAtMs, store, id]: unknown[] = JSON.parse(content.toString());
    if (list === "set-aside" && Number.isSafeInteger(failedAtMs) && typeof id === "string") {
      if (store === "redis" || store === "postgres") return { failedAtMs: failedAtMs as number, store, id };
    }
  } catch {
    // It is the cursor of another list, which is not JSON.
  }
  throw invalidCursor("is not a cursor of this list");
}
