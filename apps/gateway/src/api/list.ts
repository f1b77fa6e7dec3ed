// What all lists have in common: a page by keyset, newest first, with an opaque cursor to the next one.

import { z } from "@hono/zod-openapi";

import type { ListCursor } from "./cursor.ts";

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
    .openapi({ type: "integer", minimum: 1, maximum: MAX_LIMIT, default: DEFAULT_LIMIT }),
  cursor: z.string().optional().openapi({ description: "`next_cursor` of the page before, with the same filters" }),
};

export function listOf<T extends z.ZodType>(item: T) {
  return z.object({
    data: z.array(item),
    next_cursor: z.string().nullable().openapi({ description: "Null on the last page" }),
  });
}

/** A page of up to `limit` rows, of which one more was read to know whether there is a next page. */
export function toPage<Row extends { id: string }>(rows: Row[], limit: number, cursor: ListCursor) {
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  return { rows: page, nextCursor: last !== undefined && rows.length > page.length ? cursor.write(last.id) : null };
}
