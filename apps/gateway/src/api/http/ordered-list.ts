// What the lists with an order share. With its oldest rows first, such a list has no end: the last page has a cursor too,
// and later that cursor gives the rows that were stored since, each once.

import { z } from "@hono/zod-openapi";

import { idTime } from "@sluice/shared/domain/ids";
import type { Database } from "@sluice/store/connection/database";
import { isReadable, parsePosition, writePosition } from "@sluice/store/journal/changes";
import type { ListPlace } from "@sluice/store/log/late-rows";
import type { Order, Page } from "@sluice/store/log/page";
import type { LogPage } from "@sluice/store/log/records";

import { cursorOf, type CursorContent, invalidCursor, type ListCursor, readLastId } from "./cursor.ts";
import { pageOf } from "./list.ts";

/** A query parameter of the lists that people read from either end. */
export const orderParameter = z
  .enum(["newest", "oldest"])
  .openapi("ListOrder")
  .default("newest")
  .openapi({
    description:
      "Which entries come first. With `oldest`, the list can be read on from its end: see `resume_cursor`. An entry that " +
      "is stored late then comes after newer ones.",
    example: "newest",
  });

/** @param name the name of the page in the document, such as `EventPage`. */
export function orderedListOf<T extends z.ZodType>(item: T, name: string) {
  return pageOf(item)
    .extend({
      resume_cursor: z
        .string()
        .nullable()
        .openapi({
          description:
            "With `order=oldest`, the cursor after this page, which the last page has too: send it later to get the " +
            "entries that were stored since, each once. It is valid for 23 hours. Null with `order=newest`.",
        }),
      searched_to: z
        .string()
        .nullable()
        .openapi({
          format: "date-time",
          description:
            "Which time this page of the list reached. A page of a rare filter can be empty and end long before the " +
            "list does: then this is how far it was searched. Null when the list is at its end.",
        }),
    })
    .openapi(name);
}

interface OrderedQuery {
  limit: number;
  cursor?: string | undefined;
  order: Order;
  since?: number | undefined;
  until?: number | undefined;
}

/**
 * What to read from the store for a page, like `readPage`.
 * @throws SluiceError `invalid_cursor`
 */
export async function readOrderedPage(
  db: Database,
  list: string,
  query: OrderedQuery,
  filter: object,
): Promise<{ page: Page; cursor: ListCursor }> {
  const { order, since: sinceMs, until: untilMs } = query;
  const cursor = cursorOf(list, { ...filter, order, sinceMs, untilMs });
  const page = { limit: query.limit + 1, order, sinceMs, untilMs };
  if (query.cursor === undefined) return { page, cursor };
  const last = cursor.read(query.cursor);
  if (order === "newest") return { page: { ...page, afterId: readLastId(last) }, cursor };
  return { page: { ...page, place: await readListPlace(db, last) }, cursor };
}

/** A page of up to `limit` rows, and the cursors after it. */
export function toOrderedPage<Row extends { id: string }>(found: LogPage<Row>, limit: number, cursor: ListCursor) {
  const { places, searchedTo } = found;
  const rows = found.rows.slice(0, limit);
  const isCut = rows.length < found.rows.length;
  const lastId = isCut ? rows.at(-1)?.id : searchedTo;
  const searched_to = lastId === undefined ? null : new Date(idTime(lastId)).toISOString();
  if (places === undefined) {
    const next = lastId === undefined ? null : cursor.write(lastId);
    return { rows, cursors: { next_cursor: next, resume_cursor: null, searched_to } };
  }
  const place = (isCut ? places.afterRows[rows.length - 1] : undefined) ?? places.end;
  const resume = cursor.write(place.lastId, writeDetails(place));
  return { rows, cursors: { next_cursor: lastId === undefined ? null : resume, resume_cursor: resume, searched_to } };
}

const writeDetails = ({ position, seenId = "" }: ListPlace) => `${seenId}@${writePosition(position)}`;

/** @throws SluiceError `invalid_cursor` for a place that is no longer readable. */
async function readListPlace(db: Database, { lastId, details }: CursorContent): Promise<ListPlace> {
  const [, seenId, text = ""] = /^([0-9a-f-]{36})?@(.*)$/.exec(details) ?? [];
  const position = parsePosition(text);
  if (position !== undefined && (await isReadable(db, position))) return { lastId, position, seenId };
  throw invalidCursor("is older than 23 hours, or of another database; begin again without it, and with `since`");
}
