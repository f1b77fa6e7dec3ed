// What all lists have in common: a page by keyset with an opaque cursor to the next one, in the order of ids, which is
// that of time.

import { z } from "@hono/zod-openapi";

import type { Order, Page } from "@sluice/store/log/page";

import { cursorOf, type ListCursor } from "./cursor.ts";

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 250;

/** The query parameters of every list. */
export const pageParameters = {
  limit: z
    .string()
    .refine(
      (text) => /^[1-9][0-9]{0,2}$/.test(text) && Number(text) <= MAX_LIMIT,
      `must be an integer from 1 to ${MAX_LIMIT}`,
    )
    .transform(Number)
    .default(DEFAULT_LIMIT)
    .openapi({
      type: "integer",
      minimum: 1,
      maximum: MAX_LIMIT,
      default: DEFAULT_LIMIT,
      description: "Of one page",
      example: DEFAULT_LIMIT,
    }),
  cursor: z.string().optional().openapi({
    description: "`next_cursor` of the page before, with the same filters and order",
    example: "tEp3yQ0Z2p8BnzQ1dZx1S4kq0H1uTzVh",
  }),
};

/** Of the lists of the log, which people read from either end. */
export const orderParameter = z
  .enum(["newest", "oldest"])
  .default("newest")
  .openapi({ description: "Which comes first", example: "newest" });

export function listOf<T extends z.ZodType>(item: T) {
  return z.object({
    data: z.array(item),
    next_cursor: z.string().nullable().openapi({
      description:
        "Null on the last page. A page may hold fewer than `limit`, even none, before that: go on while there is a cursor.",
    }),
  });
}

interface ListQuery {
  limit: number;
  cursor?: string | undefined;
  order?: Order;
  since?: number | undefined;
  until?: number | undefined;
}

/**
 * What to read for a page: one row more than is shown, to know whether there is a next one.
 * @param filter as it is applied, in a fixed order of keys.
 * @throws SluiceError `invalid_cursor`
 */
export function readPage(list: string, query: ListQuery, filter: object = {}): { page: Page; cursor: ListCursor } {
  const { order, since: sinceMs, until: untilMs } = query;
  const cursor = cursorOf(list, { ...filter, order, sinceMs, untilMs });
  const afterId = query.cursor === undefined ? undefined : cursor.read(query.cursor);
  return { page: { limit: query.limit + 1, order, afterId, sinceMs, untilMs }, cursor };
}

/**
 * A page of up to `limit` rows.
 * @param searchedTo where the search ended before there were enough; undefined at the end of the list.
 */
export function toPage<Row extends { id: string }>(
  rows: Row[],
  limit: number,
  cursor: ListCursor,
  searchedTo?: string,
) {
  const page = rows.slice(0, limit);
  const next = rows.length > page.length ? page.at(-1)?.id : searchedTo;
  return { rows: page, nextCursor: next === undefined ? null : cursor.write(next) };
}
