// Reads the log for the API: pages of events, deliveries and attempts, and each of them by its id.

import { desc, eq, getTableColumns, type SQL, sql } from "drizzle-orm";

import type { Connection, Database } from "../connection/database.ts";
import { attempts, deliveries, events } from "../schema.ts";
import { anyOf } from "./id-range.ts";
import {
  attemptConditions,
  type AttemptFilter,
  deliveryConditions,
  type DeliveryFilter,
  eventConditions,
  type EventFilter,
} from "./log-filter.ts";
import { belongToDeliveries, belongToEvent, deliveriesOfFound, eventOfFound } from "./log-relations.ts";
import { lateByJournal, type ListPlace } from "./late-rows.ts";
import { readOldestFirst } from "./oldest-first.ts";
import type { Page } from "./page.ts";
import { findNamedAttempts, findNamedDeliveries, findNamedEvents, findRareAttempts } from "./search-few.ts";
import { attemptWays, deliveryWays, eventWays } from "./search-ways.ts";
import { PAGE_BUDGET, search, type Search } from "./search.ts";
import { shownAt } from "./shown-time.ts";
import { shownTimeOfDeliveries } from "./stray-deliveries.ts";

/** An event without its body, which may be large. */
export type EventRecord = Omit<typeof events.$inferSelect, "body"> & { sizeBytes: number };
export type DeliveryRecord = typeof deliveries.$inferSelect;
type StoredAttempt = typeof attempts.$inferSelect;
/** `eventId` and `webhookId` are null when the delivery of the attempt is past its retention. */
export type AttemptRow = StoredAttempt & { eventId: string | null; webhookId: string | null };

/** A page of a list of the log. */
export interface LogPage<Row> {
  rows: Row[];
  /**
   * The id after which the next page begins, when the search ended before the page was full. Undefined at the end of
   * the log.
   */
  searchedTo: string | undefined;
  /** Where a list with its oldest rows first goes on: after each of the rows, and after the page. */
  places?: { afterRows: ListPlace[]; end: ListPlace };
}

const { body, ...withoutBody } = getTableColumns(events);
export const eventColumns = { ...withoutBody, sizeBytes: sql<number>`octet_length(${body})` };

/** The search for the events that match a filter. Lists use it, and so does every action on the rows of a list. */
export function eventSearch(db: Connection, filter: EventFilter): Search {
  return {
    table: events,
    id: events.id,
    conditions: eventConditions(filter),
    ways: (range) => eventWays(db, filter, range),
    findNamed: () => findNamedEvents(db, filter),
    rowsOfEvent: eventOfFound,
    shown: shownAt(events.receivedAt),
    findLateRows: lateByJournal("event_ids"),
  };
}

export function deliverySearch(db: Connection, filter: DeliveryFilter): Search {
  return {
    table: deliveries,
    id: deliveries.id,
    conditions: deliveryConditions(filter),
    ways: (range) => deliveryWays(db, filter, range),
    findNamed: () => findNamedDeliveries(db, filter),
    rowsOfEvent: deliveriesOfFound,
    shown: shownTimeOfDeliveries(db),
    findLateRows: lateByJournal("created_ids"),
  };
}

export function attemptSearch(db: Connection, filter: AttemptFilter): Search {
  return {
    table: attempts,
    id: attempts.id,
    conditions: attemptConditions(filter),
    ways: async () => attemptWays(filter),
    findNamed: () => findNamedAttempts(db, filter),
    findRare: () => findRareAttempts(db, filter),
    shown: shownAt(attempts.startedAt),
    findLateRows: lateByJournal("attempt_ids"),
  };
}

export async function listEvents(db: Database, filter: EventFilter, page: Page): Promise<LogPage<EventRecord>> {
  return findPage(
    db,
    (on) => eventSearch(on, filter),
    page,
    (isFound) => db.orm.select(eventColumns).from(events).where(isFound),
  );
}

export async function listDeliveries(
  db: Database,
  filter: DeliveryFilter,
  page: Page,
): Promise<LogPage<DeliveryRecord>> {
  return findPage(
    db,
    (on) => deliverySearch(on, filter),
    page,
    (isFound) => db.orm.select().from(deliveries).where(isFound),
  );
}

export async function listAttempts(db: Database, filter: AttemptFilter, page: Page): Promise<LogPage<AttemptRow>> {
  return findPage(
    db,
    (on) => attemptSearch(on, filter),
    page,
    async (isFound) => withEvents(db, await db.orm.select().from(attempts).where(isFound)),
  );
}

/**
 * Reads the rows of a page. Leaves out a row that was deleted after the search found it.
 * @param read reads the rows that meet a condition on their ids.
 */
export async function findPage<Row extends { id: string }>(
  db: Database,
  listOn: (on: Connection) => Search,
  page: Page,
  read: (isFound: SQL | undefined) => PromiseLike<Row[]>,
): Promise<LogPage<Row>> {
  const list = listOn(db);
  const readAll = async (ids: readonly string[]) => {
    const rows = ids.length === 0 ? [] : await read(anyOf(list.id, ids));
    return new Map(rows.map((row) => [row.id, row]));
  };
  if (page.order === "oldest") {
    const found = await readOldestFirst(db, listOn, page);
    const byId = await readAll(found.rows.map(({ id }) => id));
    const kept = found.rows.filter(({ id }) => byId.has(id));
    return {
      rows: kept.map(({ id }) => byId.get(id)).filter((row) => row !== undefined),
      searchedTo: found.isEnd ? undefined : found.end.lastId,
      places: { afterRows: kept.map(({ place }) => place), end: found.end },
    };
  }
  const { ids, searchedTo } = await search(db, list, page, PAGE_BUDGET);
  const byId = await readAll(ids);
  return { rows: ids.map((id) => byId.get(id)).filter((row) => row !== undefined), searchedTo };
}

export async function getEvent(db: Connection, id: string): Promise<EventRecord | undefined> {
  return (await db.orm.select(eventColumns).from(events).where(eq(events.id, id)))[0];
}

export async function getEventWithBody(tx: Connection, id: string): Promise<typeof events.$inferSelect | undefined> {
  return (await tx.orm.select().from(events).where(eq(events.id, id)))[0];
}

/** The number of events, from the first on, whose bodies together are at most `maxBytes`; at least 1. */
export function countFitting(found: readonly EventRecord[], maxBytes: number): number {
  let bytes = 0;
  const end = found.findIndex(({ sizeBytes }) => (bytes += sizeBytes) > maxBytes);
  return end === -1 ? found.length : Math.max(1, end);
}

/** Reads the bodies of events by their ids. The caller MUST bound their total size: see {@link countFitting}. */
export async function readBodies(db: Connection, ids: readonly string[]): Promise<Map<string, Buffer>> {
  if (ids.length === 0) return new Map();
  const rows = await db.orm.select({ id: events.id, body: events.body }).from(events).where(anyOf(events.id, ids));
  return new Map(rows.map((row) => [row.id, row.body]));
}

/** Lists all deliveries of an event. */
export async function listDeliveriesOf(db: Database, eventId: string): Promise<DeliveryRecord[]> {
  return db.orm.select().from(deliveries).where(belongToEvent(eventId)).orderBy(deliveries.id);
}

export async function getDelivery(db: Connection, id: string): Promise<DeliveryRecord | undefined> {
  return (await db.orm.select().from(deliveries).where(eq(deliveries.id, id)))[0];
}

export async function getAttempt(db: Database, id: string): Promise<AttemptRow | undefined> {
  return (await withEvents(db, await db.orm.select().from(attempts).where(eq(attempts.id, id))))[0];
}

/** Lists the newest `limit` attempts of deliveries, oldest first. */
export async function listAttemptsOf(
  db: Database,
  deliveryIds: readonly string[],
  limit: number,
): Promise<AttemptRow[]> {
  if (deliveryIds.length === 0) return [];
  const rows = await db.orm
    .select()
    .from(attempts)
    .where(belongToDeliveries(deliveryIds))
    .orderBy(desc(attempts.id))
    .limit(limit);
  return withEvents(db, rows.toReversed());
}

/** Adds what the delivery of each attempt knows of its event. */
export async function withEvents(on: Connection, rows: readonly StoredAttempt[]): Promise<AttemptRow[]> {
  const { id, eventId, webhookId } = deliveries;
  const deliveryIds = [...new Set(rows.map((row) => row.deliveryId))];
  const isNamed = anyOf(id, deliveryIds);
  const found =
    deliveryIds.length === 0 ? [] : await on.orm.select({ id, eventId, webhookId }).from(deliveries).where(isNamed);
  const byId = new Map(found.map((delivery) => [delivery.id, delivery]));
  return rows.map((row) => {
    const delivery = byId.get(row.deliveryId);
    return { ...row, eventId: delivery?.eventId ?? null, webhookId: delivery?.webhookId ?? null };
  });
}
