// Finds the rows of a list when its filter names only a few events, such as those of one job, before the list itself is
// searched. The rows are then read by their own ids, on their own days. The look-up stops when it finds more than
// MAX_EVENTS.

import { and, lt, sql } from "drizzle-orm";

import { idFloor } from "@sluice/shared/domain/ids";

import type { Connection } from "../connection/database.ts";
import { attempts, deliveries, events } from "../schema.ts";
import { rangeAround, wholeMilliseconds } from "./id-range.ts";
import type { AttemptFilter, DeliveryFilter, EventFilter } from "./log-filter.ts";
import { belongToDeliveries, belongToEvent, deliveriesOfFound } from "./log-relations.ts";
import { ALL, rangeOf } from "./page.ts";
import { eventWays, hideFromPlanner, payloadWays, type Way, wayByIds, wayOf } from "./search-ways.ts";

const MAX_EVENTS = 200;
const MAX_DELIVERIES = 2_000;
/**
 * How long after the end of its delivery an attempt may begin. A worker that stood still for long attempts the
 * deliveries that it had in hand, although another worker has finished them meanwhile.
 */
const LATE_MARGIN_MS = 86_400_000;

/**
 * Finds the events that a filter names by their payload, such as a job's id.
 * @returns undefined when the filter names no events in that way, or more than MAX_EVENTS.
 */
export async function findNamedEvents(db: Connection, filter: EventFilter): Promise<Way | undefined> {
  const ids = await findEvents(db, payloadWays(filter));
  return ids && wayByIds({ table: events, id: events.id }, ids);
}

/**
 * Finds the deliveries of the events that a filter names.
 * @returns undefined as {@link findNamedEvents} does, and for the filter `eventId`, which is a way of its own.
 */
export async function findNamedDeliveries(db: Connection, filter: DeliveryFilter): Promise<Way | undefined> {
  if (filter.eventId !== undefined) return undefined;
  const found = await findDeliveries(db, payloadWays(filter));
  if (found === undefined) return undefined;
  const ids = found.map(({ id }) => id);
  return wayByIds({ table: deliveries, id: deliveries.id }, ids);
}

/** Finds the attempts of the events that a filter names. @returns undefined as {@link findNamedEvents} does. */
export async function findNamedAttempts(db: Connection, filter: AttemptFilter): Promise<Way | undefined> {
  if (filter.eventId !== undefined) {
    const { id, finishedAt } = deliveries;
    return attemptsOf(await db.orm.select({ id, finishedAt }).from(deliveries).where(belongToEvent(filter.eventId)));
  }
  return namesEvents(filter) ? findAttempts(db, filter) : undefined;
}

/**
 * Finds the attempts of a source's or a type's events, when the filter names no events.
 * @returns undefined when these are more than MAX_EVENTS, as they usually are.
 */
export async function findRareAttempts(db: Connection, filter: AttemptFilter): Promise<Way | undefined> {
  return namesEvents(filter) ? undefined : findAttempts(db, filter);
}

const namesEvents = (filter: EventFilter) => payloadWays(filter).length > 0;

/**
 * Finds attempts by any way to their events, also by source and type: the table of attempts has no index in the order
 * of its own ids for these.
 */
async function findAttempts(db: Connection, filter: AttemptFilter): Promise<Way | undefined> {
  const found = await findDeliveries(db, await eventWays(db, filter, rangeOf(ALL)));
  return found && attemptsOf(found);
}

/** Finds the events of the first of these ways that has at most MAX_EVENTS. */
async function findEvents(db: Connection, ways: readonly Way[]): Promise<string[] | undefined> {
  for (const { entries } of ways) {
    const parts = entries.map(
      ({ table, id, on }) =>
        sql`(SELECT ${id} AS id FROM ${table} WHERE ${on} ORDER BY ${id} DESC LIMIT ${MAX_EVENTS + 1})`,
    );
    if (parts.length === 0) return [];
    const { rows } = await db.orm.execute<{ id: string }>(
      sql`SELECT id FROM (${sql.join(parts, sql` UNION ALL `)}) AS found LIMIT ${MAX_EVENTS + 1}`,
    );
    if (rows.length <= MAX_EVENTS) return rows.map(({ id }) => id);
  }
  return undefined;
}

interface FoundDelivery {
  id: string;
  finishedAt: Date | null;
}

/**
 * Finds the deliveries of the events of these ways.
 * @returns undefined when the events or the deliveries are too many.
 */
async function findDeliveries(db: Connection, ways: readonly Way[]): Promise<FoundDelivery[] | undefined> {
  const eventIds = await findEvents(db, ways);
  if (eventIds === undefined) return undefined;
  const range = rangeAround(eventIds);
  if (range === undefined) return [];
  const { rows } = await db.orm.execute<{ id: string; finished_at: string | null }>(
    sql`SELECT related.id, related.finished_at FROM unnest(${sql.param(eventIds)}::uuid[]) AS found (event_id)
        CROSS JOIN LATERAL ${deliveriesOfFound(wholeMilliseconds(range))} AS related LIMIT ${MAX_DELIVERIES + 1}`,
  );
  if (rows.length > MAX_DELIVERIES) return undefined;
  return rows.map(({ id, finished_at: at }) => ({ id, finishedAt: at === null ? null : new Date(at) }));
}

/**
 * The way to the attempts of deliveries. An attempt begins between the start and the end of its delivery, with margins.
 */
function attemptsOf(found: readonly FoundDelivery[]): Way {
  const table = { table: attempts, id: attempts.id };
  if (found.length === 0) return wayOf(table);
  const ids = found.map(({ id }) => id);
  const latestMs = Math.max(...found.map(({ finishedAt }) => finishedAt?.getTime() ?? Number.POSITIVE_INFINITY));
  return wayOf(
    table,
    and(belongToDeliveries(ids, hideFromPlanner(ids)), lt(attempts.id, idFloor(latestMs + LATE_MARGIN_MS))),
  );
}
