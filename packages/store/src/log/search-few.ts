// Finds a few events that a filter names, by whichever of its ways has so few, before the list itself is searched: their
// rows are then read by their own ids, in the days in which they are. Of more than MAX_EVENTS it learns that they are more.

import { and, lt, type SQL, sql } from "drizzle-orm";

import { idFloor, nextId } from "@sluice/shared/domain/ids";
import { attempts, deliveries, events } from "../schema.ts";
import type { Connection } from "../connection/database.ts";
import type { AttemptFilter, DeliveryFilter, EventFilter } from "./log-filter.ts";
import { deliveriesOfFound, ofDeliveries, ofEvent } from "./log-relations.ts";
import { ALL, type IdRange, rangeOf, wholeMilliseconds, withinRange } from "./page.ts";
import { eventWays, payloadWays, type Table, type Way, wayOf } from "./search-ways.ts";

const MAX_EVENTS = 200;
const MAX_DELIVERIES = 2_000;
/**
 * How much later than its delivery's end an attempt may be: a worker that stood still for long makes those that it had in
 * hand, which another has made meanwhile.
 */
const LATE_MARGIN_MS = 86_400_000;

/** The events that a filter names by what few have in common; undefined where it names none so, or too many. */
export async function namedEvents(db: Connection, filter: EventFilter): Promise<Way | undefined> {
  const ids = await findEvents(db, payloadWays(filter));
  return ids && byIds({ table: events, id: events.id }, ids);
}

/** The deliveries of the events that a filter names; undefined likewise, and for a single event, which is a way itself. */
export async function namedDeliveries(db: Connection, filter: DeliveryFilter): Promise<Way | undefined> {
  if (filter.eventId !== undefined) return undefined;
  const found = await findDeliveries(db, payloadWays(filter));
  if (found === undefined) return undefined;
  const ids = found.map(({ id }) => id);
  return byIds({ table: deliveries, id: deliveries.id }, ids);
}

/** The attempts of the event or the events that a filter names; undefined likewise. */
export async function namedAttempts(db: Connection, filter: AttemptFilter): Promise<Way | undefined> {
  if (filter.eventId !== undefined) {
    const { id, finishedAt } = deliveries;
    return attemptsOf(await db.orm.select({ id, finishedAt }).from(deliveries).where(ofEvent(filter.eventId)));
  }
  return namesEvents(filter) ? findAttempts(db, filter) : undefined;
}

/** The attempts of the events of a source or type, where a filter names none otherwise; undefined likewise, as mostly. */
export async function rareAttempts(db: Connection, filter: AttemptFilter): Promise<Way | undefined> {
  return namesEvents(filter) ? undefined : findAttempts(db, filter);
}

const namesEvents = (filter: EventFilter) => payloadWays(filter).length > 0;

/** By any way to events, also source and type: attempts have an order of their own, in which these give no way. */
async function findAttempts(db: Connection, filter: AttemptFilter): Promise<Way | undefined> {
  const found = await findDeliveries(db, await eventWays(db, filter, rangeOf(ALL)));
  return found && attemptsOf(found);
}

/** The events of the first of these ways that has few. */
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

/** The deliveries of these events, where both are few. */
async function findDeliveries(db: Connection, ways: readonly Way[]): Promise<FoundDelivery[] | undefined> {
  const eventIds = await findEvents(db, ways);
  if (eventIds === undefined) return undefined;
  const range = rangeAround(eventIds);
  if (range === undefined) return [];
  const { rows } = await db.orm.execute<{ id: string; finished_at: string | null }>(
    sql`SELECT of.id, of.finished_at FROM unnest(${sql.param(eventIds)}::uuid[]) AS found (event_id)
        CROSS JOIN LATERAL ${deliveriesOfFound(wholeMilliseconds(range))} AS of LIMIT ${MAX_DELIVERIES + 1}`,
  );
  if (rows.length > MAX_DELIVERIES) return undefined;
  return rows.map(({ id, finished_at: at }) => ({ id, finishedAt: at === null ? null : new Date(at) }));
}

/** The range is what prunes partitions. */
function byIds(table: Table, ids: readonly string[]): Way {
  const range = rangeAround(ids);
  if (range === undefined) return wayOf(table);
  return wayOf(table, and(sql`${table.id} = ANY(${hidden(ids)})`, withinRange(table.id, range)));
}

/** Attempts are no older than their delivery and no later than its end, but for clocks that differ. */
function attemptsOf(found: readonly FoundDelivery[]): Way {
  const table = { table: attempts, id: attempts.id };
  if (found.length === 0) return wayOf(table);
  const ids = found.map(({ id }) => id);
  const latestMs = Math.max(...found.map(({ finishedAt }) => finishedAt?.getTime() ?? Number.POSITIVE_INFINITY));
  return wayOf(table, and(ofDeliveries(ids, hidden(ids)), lt(attempts.id, idFloor(latestMs + LATE_MARGIN_MS))));
}

/**
 * Ids behind a subquery, where the planner does not weigh each of them in each partition, some ten milliseconds for
 * hundreds. MUST be fenced from a LIMIT, for which it would rather read the whole log in its order.
 */
const hidden = (ids: readonly string[]): SQL => sql`ARRAY(SELECT unnest(${sql.param([...ids])}::uuid[]))`;

/** From the first of some ids to the last; undefined of none. */
function rangeAround(ids: readonly string[]): IdRange | undefined {
  const sorted = ids.toSorted();
  const [first] = sorted;
  return first === undefined ? undefined : { from: first, to: nextId(sorted.at(-1) ?? first) };
}
