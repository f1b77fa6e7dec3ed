// Reads a list with its oldest rows first, such that its end is a place to go on from later: a reader that comes back
// gets every row once, whenever the row is committed. A page first has the late rows, whose ids are before the place that
// the reader has reached, and then the rows after it. Both are read in one snapshot, which is the next position.

import { and } from "drizzle-orm";

import { idFloor } from "@sluice/shared/domain/ids";

import type { Connection, Database } from "../connection/database.ts";
import { currentPosition } from "../journal/changes.ts";
import { anyOf } from "./id-range.ts";
import type { LateRows, ListPlace } from "./late-rows.ts";
import type { Page } from "./page.ts";
import { PAGE_BUDGET, search, type Search } from "./search.ts";
import { isShownWithin } from "./shown-time.ts";

export interface OldestFirst {
  /** In the order of the page, each with the place after it. */
  rows: { id: string; place: ListPlace }[];
  /** The place after the page. */
  end: ListPlace;
  /** Whether the page has reached the end of the list. */
  isEnd: boolean;
}

/** @param listOn the list, by the connection with which it is to be searched. */
export async function readOldestFirst(
  db: Database,
  listOn: (on: Connection) => Search,
  page: Page,
): Promise<OldestFirst> {
  return db.orm.transaction((orm) => readInOneSnapshot({ orm }, listOn({ orm }), page), {
    isolationLevel: "repeatable read",
    accessMode: "read only",
  });
}

async function readInOneSnapshot(tx: Connection, list: Search, page: Page): Promise<OldestFirst> {
  const { place, limit } = page;
  const late = place === undefined ? undefined : await readLateRows(tx, list, page, place);
  if (late !== undefined && (!late.isEnd || late.rows.length === limit)) {
    return { rows: late.rows, end: late.rows.length === limit ? lastPlace(late) : late.next, isEnd: false };
  }
  const position = late?.next.position ?? (await currentPosition(tx));
  const lateRows = late?.rows ?? [];
  const rest = { ...page, afterId: place?.lastId, limit: limit - lateRows.length };
  const { ids, searchedTo } = await search(tx, list, rest, PAGE_BUDGET);
  const rows = [...lateRows, ...ids.map((id) => ({ id, place: { lastId: id, position } }))];
  const isFull = rows.length === limit;
  // At the end, the place moves on to the present, so that the next page does not search the same days again.
  const reached = isFull ? [] : [searchedTo ?? idFloor(position.takenAtMs)];
  const lastId = [place?.lastId ?? "", ids.at(-1) ?? "", ...reached].toSorted().at(-1) ?? "";
  return { rows, end: { lastId, position }, isEnd: !isFull && searchedTo === undefined };
}

const lastPlace = ({ rows, next }: LateRows): ListPlace => rows.at(-1)?.place ?? next;

/** Reads the late rows that the page shows, at most its limit. */
async function readLateRows(tx: Connection, list: Search, page: Page, place: ListPlace): Promise<LateRows> {
  const { table, id } = list;
  const { own, lookedUp } = list.conditions;
  const late = await list.findLateRows(tx, place, lookedUp.length > 0 ? PAGE_BUDGET.lookUps : PAGE_BUDGET.rows);
  if (late.rows.length === 0) return late;
  const isLate = and(
    anyOf(
      id,
      late.rows.map((row) => row.id),
    ),
    ...own,
    isShownWithin(list, page),
    ...lookedUp,
  );
  const matching = new Set((await tx.orm.select({ id }).from(table).where(isLate)).map((row) => row.id));
  return { ...late, rows: late.rows.filter((row) => matching.has(row.id)).slice(0, page.limit) };
}
