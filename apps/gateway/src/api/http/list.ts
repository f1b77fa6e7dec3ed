// What all lists of the API share: pages in the order of ids, which is the order of time, and an opaque cursor to the
// next page. A page continues after an id (keyset pagination), so new rows never shift it.

import { z } from "@hono/zod-openapi";

import type { Page } from "@sluice/store/log/page";

import { cursorOf, type ListCursor, readLastId } from "./cursor.ts";
import { plainText } from "./plain-text.ts";

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
      description: "The largest number of entries in the page",
      example: DEFAULT_LIMIT,
    }),
  cursor: z.string().optional().openapi({
    pattern: "^[A-Za-z0-9_-]+$",
    description: "The `next_cursor` of the page before; repeat the filters and the order of that page",
    example: "tEp3yQ0Z2p8BnzQ1dZx1S4kq0H1uTzVhU3gPgw",
  }),
};

/** The filter by name of the lists of what has a name. */
export const nameParameter = {
  name: plainText(200).min(1).optional().openapi({ description: "Only what has exactly this name" }),
};

/** @param name the name of the page in the document, such as `TargetPage`. */
export function listOf<T extends z.ZodType>(item: T, name: string) {
  return pageOf(item).openapi(name);
}

/** A page that gets more fields, and then its name. */
export function pageOf<T extends z.ZodType>(item: T) {
  return z.object({
    data: z.array(item),
    next_cursor: z.string().nullable().openapi({
      description:
        "Null on the last page. Other pages can have fewer than `limit` entries, or none: read on until it is null.",
    }),
  });
}

interface ListQuery {
  limit: number;
  cursor?: string | undefined;
}

/**
 * What to read from the store for a page. `page.limit` is one row more than the page shows: that row tells whether there
 * is a next page.
 * @param filter what the query applies; its keys are always in the same order.
 * @throws SluiceError `invalid_cursor`
 */
export function readPage(list: string, query: ListQuery, filter: object = {}): { page: Page; cursor: ListCursor } {
  const cursor = cursorOf(list, filter);
  const afterId = query.cursor === undefined ? undefined : readLastId(cursor.read(query.cursor));
  return { page: { limit: query.limit + 1, afterId }, cursor };
}

/** A page of up to `limit` rows, and the cursor of the next page. */
export function toPage<Row extends { id: string }>(rows: Row[], limit: number, cursor: ListCursor) {
  const page = rows.slice(0, limit);
  const next = rows.length > page.length ? page.at(-1)?.id : undefined;
  return { rows: page, nextCursor: next === undefined ? null : cursor.write(next) };
}
