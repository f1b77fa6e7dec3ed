// A walk through all rows of the log that match a filter, oldest first, in batches. Each batch reads a bounded part of an
// index by ids, so that the walk costs the same per row in a log of any size, and goes on after any id.

import type { Connection } from "../connection/database.ts";
import { PAGE_BUDGET, search, type Search } from "../log/search.ts";

/** A part of the log, in milliseconds since 1970. `sinceMs` is included, `untilMs` is not. */
export interface TimeRange {
  sinceMs?: number | undefined;
  untilMs?: number | undefined;
}

export interface Walk {
  list: Search;
  range: TimeRange;
}

const COUNT_BATCH = 5_000;

/** @returns the ids, and as `next` the id after which the next batch begins; undefined when this batch was the last. */
export async function readBatch(on: Connection, { list, range }: Walk, afterId: string | undefined, limit: number) {
  const page = { limit, order: "oldest", afterId, sinceMs: range.sinceMs, untilMs: range.untilMs } as const;
  const { ids, searchedTo } = await search(on, list, page, PAGE_BUDGET);
  return { ids, next: ids.length === limit ? ids.at(-1) : searchedTo };
}

/** How far a count came. */
export interface WalkCount {
  total: number;
  /** The last id that was read when the time was over; undefined when all are counted. */
  reached: string | undefined;
}

/**
 * Counts the rows of a walk, and stops after about `withinMs`.
 * @param see called with the ids of each batch.
 */
export async function countRows(
  on: Connection,
  walk: Walk,
  { afterId, withinMs }: { afterId?: string | undefined; withinMs: number },
  see: (ids: readonly string[]) => Promise<void> = () => Promise.resolve(),
): Promise<WalkCount> {
  const endsAt = performance.now() + withinMs;
  const counted: WalkCount = { total: 0, reached: afterId };
  do {
    const { ids, next } = await readBatch(on, walk, counted.reached, COUNT_BATCH);
    counted.total += ids.length;
    counted.reached = next;
    if (ids.length > 0) await see(ids);
  } while (counted.reached !== undefined && performance.now() < endsAt);
  return counted;
}
