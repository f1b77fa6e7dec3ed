// Pages of lists by keyset: an id is a time, so newest first is by descending id, and a time range is one of ids.

import { and, gte, lt, type SQL } from "drizzle-orm";

import { idFloor } from "../ids.ts";
import type { apiKeys, audit, deliveries, events, rejections, sources, targets } from "../schema.ts";

/** A page of a list, newest first. Times are milliseconds; `sinceMs` is included, `untilMs` is not. */
export interface Page {
  limit: number;
  /** Only rows with a smaller id. */
  beforeId?: string | undefined;
  sinceMs?: number | undefined;
  untilMs?: number | undefined;
}

/** Of a list that is held in memory as a whole anyway. */
export const ALL: Page = { limit: 1_000_000 };

type ListedId = (
  | typeof apiKeys
  | typeof audit
  | typeof deliveries
  | typeof events
  | typeof rejections
  | typeof sources
  | typeof targets
)["id"];

export function withinPage(id: ListedId, page: Page): SQL | undefined {
  return and(
    page.beforeId === undefined ? undefined : lt(id, page.beforeId),
    page.sinceMs === undefined ? undefined : gte(id, idFloor(page.sinceMs)),
    page.untilMs === undefined ? undefined : lt(id, idFloor(page.untilMs)),
  );
}
