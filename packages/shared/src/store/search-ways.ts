// By which indexes the rows of a list are found: each filter that has an index is a way, and each way gives its rows
// in the order of ids, so that a page can be read from it without the rest.

import { and, eq, isNotNull, isNull, lt, type SQL, sql } from "drizzle-orm";
import type { PgColumn, PgTable } from "drizzle-orm/pg-core";

import { idCeiling, idFloor, idTime, nextId } from "../ids.ts";
import { attempts, deliveries, events, eventTerms, rejections } from "../schema.ts";
import { namesOfType } from "../subscription.ts";
import type { Connection } from "./database.ts";
import {
  type AttemptFilter,
  type DeliveryFilter,
  type EventFilter,
  type RejectionFilter,
  type StatusCodeFilter,
  typePrefix,
} from "./log-filter.ts";
import { type IdRange, rangeOf, wholeDays, wholeMilliseconds, withinRange } from "./page.ts";

/** Rows of one index under one condition, which it has in the order of `id`. */
export interface Entries {
  table: PgTable;
  id: PgColumn;
  on: SQL | undefined;
}

export interface Way {
  /** Which have no row in common. */
  entries: Entries[];
  /** Of the list itself; or of what names an event, whose rows of the list are looked up. */
  of: "rows" | "events";
  /** Every row of it matches the filter that it stands for. */
  isExact: boolean;
  /** So few that they are read whole, without asking first how far they reach. */
  isFew?: true;
}

/** How far the clocks of a gateway and a worker may be apart. */
const CLOCK_MARGIN_MS = 3_600_000;
/** A group of types with more names than this has no way of its own. */
const MAX_TYPES = 50;
/** Events whose rows are looked up before anything else is read, and how many of these there may be. */
const MAX_FEW_EVENTS = 200;
const MAX_FEW_DELIVERIES = 2_000;
/**
 * How much later than its delivery's end an attempt may be: a worker that stood still for long makes those that it had in
 * hand, which another has made meanwhile.
 */
const LATE_MARGIN_MS = 86_400_000;

/** @param range in which its ways are searched. */
export async function eventWays(db: Connection, filter: EventFilter, range: IdRange): Promise<Way[]> {
  const ways = payloadWays(filter);
  if (filter.sourceId !== undefined) ways.push(ofEvents(eq(events.sourceId, filter.sourceId)));
  const types = await typesOf(db, filter.eventType, range);
  if (types !== undefined) ways.push(ofEvents(...types.map((type) => sql`${events.type} COLLATE "C" = ${type}`)));
  return ways;
}

export async function deliveryWays(db: Connection, filter: DeliveryFilter, range: IdRange): Promise<Way[]> {
  const { eventId, targetId, statuses, statusCode, errorText, minAttempts } = filter;
  const table = { table: deliveries, id: deliveries.id };
  const ways: Way[] = [];
  if (eventId !== undefined) ways.push(rows(table, ofEvent(eventId)));
  ways.push(...(await eventWays(db, filter, wholeMilliseconds(range))).map((way): Way => ({ ...way, of: "events" })));
  if (statuses?.includes("succeeded") === false) {
    const isUnsuccessful = sql`${deliveries.status} <> 'succeeded'`;
    ways.push(rows(table, ...statuses.map((status) => and(eq(deliveries.status, status), isUnsuccessful))));
  }
  ways.push(...codeWays(table, deliveries.lastStatusCode, deliveries.lastError, statusCode));
  if (errorText !== undefined) ways.push(roughly(rows(table, isNotNull(deliveries.lastError))));
  if (minAttempts !== undefined && minAttempts > 1) {
    ways.push(roughly(rows(table, sql`${deliveries.attemptCount} > 1`)));
  }
  if (targetId !== undefined) ways.push(rows(table, eq(deliveries.targetId, targetId)));
  return ways;
}

export function attemptWays(filter: AttemptFilter): Way[] {
  const { deliveryId, targetId, statusCode, errorText, minAttempts, triggers } = filter;
  const table = { table: attempts, id: attempts.id };
  const ways: Way[] = [];
  if (deliveryId !== undefined) ways.push(rows(table, ofDeliveries([deliveryId])));
  ways.push(...codeWays(table, attempts.statusCode, attempts.error, statusCode));
  if (errorText !== undefined) ways.push(roughly(rows(table, isNotNull(attempts.error))));
  const isRepeat = sql`${attempts.trigger} <> 'initial'`;
  if (triggers?.includes("initial") === false) {
    ways.push(rows(table, ...triggers.map((trigger) => and(eq(attempts.trigger, trigger), isRepeat))));
  }
  if (minAttempts !== undefined && minAttempts > 1) {
    // Whatever follows a first attempt is one of these.
    const repeats = ["retry", "manual"] as const;
    ways.push(roughly(rows(table, ...repeats.map((trigger) => and(eq(attempts.trigger, trigger), isRepeat)))));
  }
  if (targetId !== undefined) ways.push(rows(table, eq(attempts.targetId, targetId)));
  return ways;
}

export function rejectionWays({ sourceId, webhookId, reasons, remoteAddress }: RejectionFilter): Way[] {
  const table = { table: rejections, id: rejections.id };
  const ways: Way[] = [];
  if (webhookId !== undefined) ways.push(rows(table, eq(rejections.webhookId, webhookId)));
  if (remoteAddress !== undefined) ways.push(rows(table, eq(rejections.remoteAddress, remoteAddress)));
  if (reasons !== undefined) ways.push(rows(table, ...reasons.map((reason) => eq(rejections.reason, reason))));
  if (sourceId !== undefined) ways.push(rows(table, eq(rejections.sourceId, sourceId)));
  return ways;
}

type Table = Omit<Entries, "on">;

function rows(table: Table, ...conditions: (SQL | undefined)[]): Way {
  return { entries: conditions.map((on) => ({ ...table, on })), of: "rows", isExact: true };
}

const ofEvents = (...conditions: SQL[]) => rows({ table: events, id: events.id }, ...conditions);

const roughly = (way: Way): Way => ({ ...way, isExact: false });

function ofTerm(kind: string, key: string, value: string): Way {
  const on = sql`${eventTerms.term} = event_term(${kind}::text, ${key}::text, ${value}::text)`;
  return { entries: [{ table: eventTerms, id: eventTerms.eventId, on }], of: "events", isExact: true };
}

/** By what a few events have in common, such as a job. */
function payloadWays({ webhookId, dataId, label, userMetadata }: EventFilter): Way[] {
  const ways: Way[] = [];
  if (webhookId !== undefined) ways.push(ofEvents(eq(events.webhookId, webhookId)));
  if (dataId !== undefined) ways.push(ofEvents(eq(events.dataId, dataId)));
  if (label !== undefined) ways.push(ofTerm("label", label.key, label.value));
  if (userMetadata !== undefined) {
    const { key, value } = userMetadata;
    ways.push(value === undefined ? ofTerm("metadata-key", key, "") : ofTerm("metadata", key, value));
  }
  return ways;
}

function codeWays(table: Table, code: PgColumn, error: PgColumn, filter: StatusCodeFilter | undefined): Way[] {
  // Only failures have an index: most of what is delivered succeeds, and is updated at once.
  if (filter === undefined || filter.classes.includes(2) || filter.codes.some((each) => each >= 200 && each < 300)) {
    return [];
  }
  const isFailure = sql`${code} NOT BETWEEN 200 AND 299`;
  const conditions = [
    ...filter.codes.map((each) => and(eq(code, each), isFailure)),
    ...filter.classes.map((each) => sql`${code} / 100 = ${each} AND ${isFailure}`),
    ...(filter.none ? [and(isNotNull(error), isNull(code))] : []),
  ];
  return [rows(table, ...conditions)];
}

/** The deliveries of an event. Their ids have its milliseconds, so these are a few rows of the primary key. */
export function ofEvent(eventId: string): SQL | undefined {
  return and(
    sql`${deliveries.id} >= ${idFloor(idTime(eventId))}`,
    sql`${deliveries.id} <= ${idCeiling(eventId)}`,
    eq(deliveries.eventId, eventId),
  );
}

/** The attempts of deliveries. */
export function ofDeliveries(ids: readonly string[]): SQL | undefined {
  return ofDeliveriesIn(ids, sql`${sql.param([...ids])}::uuid[]`);
}

/**
 * Ids behind a subquery, where the planner does not weigh each of them in each partition, some ten milliseconds for
 * hundreds. MUST be fenced from a LIMIT, for which it would rather read the whole log in its order.
 */
const hidden = (ids: readonly string[]) => sql`ARRAY(SELECT unnest(${sql.param([...ids])}::uuid[]))`;

function ofDeliveriesIn(ids: readonly string[], list: SQL): SQL | undefined {
  if (ids.length === 0) return sql`false`;
  // No attempt is older than its delivery, but for clocks that differ: this prunes the partitions before.
  const oldestMs = Math.min(...ids.map(idTime)) - CLOCK_MARGIN_MS;
  return sql`${attempts.deliveryId} = ANY(${list}) AND ${attempts.id} >= ${idFloor(oldestMs)}`;
}

/** The names of types that a filter matches, of events in the range; undefined when it is none, or when they are too many. */
async function typesOf(db: Connection, type: string | undefined, range: IdRange): Promise<string[] | undefined> {
  const prefix = typePrefix(type);
  if (type === undefined || type === "*") return undefined;
  if (prefix === undefined) return namesOfType(type);
  // From each type to the next by the index, whatever many events have it. "/" follows ".".
  const column = sql`${events.type} COLLATE "C"`;
  // Whole days, which partitions have: within one, the index would be read past all that is outside of the range. A type
  // too many has no entries.
  const within = withinRange(events.id, wholeDays(range));
  const end = `${prefix.slice(0, -1)}/`;
  const { rows: found } = await db.orm.execute<{ type: string }>(sql`
    WITH RECURSIVE types (type) AS (
      (SELECT ${column} FROM ${events} WHERE ${column} >= ${prefix} AND ${column} < ${end} AND ${within} ORDER BY ${column} LIMIT 1)
      UNION ALL
      SELECT (SELECT ${column} FROM ${events} WHERE ${column} > types.type AND ${column} < ${end} AND ${within} ORDER BY ${column} LIMIT 1)
      FROM types WHERE types.type IS NOT NULL
    )
    SELECT type FROM types WHERE type IS NOT NULL LIMIT ${MAX_TYPES + 1}`);
  return found.length > MAX_TYPES ? undefined : found.map((row) => row.type);
}

/** The events that a filter names, where they are few. */
export async function fewEvents(db: Connection, filter: EventFilter): Promise<Way | undefined> {
  const ids = await findFewEvents(db, payloadWays(filter));
  return ids && fewRows({ table: events, id: events.id }, ids);
}

/** The deliveries of the events that a filter names, where they are few. */
export async function fewDeliveries(db: Connection, filter: DeliveryFilter): Promise<Way | undefined> {
  if (filter.eventId !== undefined) return undefined;
  const found = await findFewEvents(db, payloadWays(filter));
  if (found === undefined) return undefined;
  const ofThem = await findDeliveriesOf(db, found);
  return (
    ofThem &&
    fewRows(
      { table: deliveries, id: deliveries.id },
      ofThem.map(({ id }) => id),
    )
  );
}

/** The attempts of the events that a filter names, where they are few: attempts have an order of their own. */
export async function fewAttempts(db: Connection, filter: AttemptFilter): Promise<Way | undefined> {
  const found = await findFewDeliveries(db, filter);
  if (found === undefined) return undefined;
  const on = ofFoundDeliveries(found);
  return { ...roughly(rows({ table: attempts, id: attempts.id }, ...(on === undefined ? [] : [on]))), isFew: true };
}

async function findFewDeliveries(db: Connection, filter: AttemptFilter): Promise<FoundDelivery[] | undefined> {
  if (filter.eventId !== undefined) {
    const { id, finishedAt } = deliveries;
    return db.orm.select({ id, finishedAt }).from(deliveries).where(ofEvent(filter.eventId));
  }
  const found = await findFewEvents(db, await eventWays(db, filter, rangeOf({ limit: 1 })));
  return found && findDeliveriesOf(db, found);
}

function ofFoundDeliveries(found: readonly FoundDelivery[]): SQL | undefined {
  const ids = found.map(({ id }) => id);
  if (ids.length === 0) return undefined;
  const latestMs = Math.max(...found.map(({ finishedAt }) => finishedAt?.getTime() ?? Number.POSITIVE_INFINITY));
  return and(ofDeliveriesIn(ids, hidden(ids)), lt(attempts.id, idFloor(latestMs + LATE_MARGIN_MS)));
}

/** Whether a filter is by what a few events have in common. */
export const namesFew = ({ webhookId, dataId, label, userMetadata }: EventFilter) =>
  [webhookId, dataId, label, userMetadata].some((value) => value !== undefined);

/** The events of the first of these ways that has few. */
async function findFewEvents(db: Connection, ways: readonly Way[]): Promise<string[] | undefined> {
  for (const { entries } of ways) {
    const parts = entries.map(
      ({ table, id, on }) =>
        sql`(SELECT ${id} AS id FROM ${table} WHERE ${on} ORDER BY ${id} DESC LIMIT ${MAX_FEW_EVENTS + 1})`,
    );
    if (parts.length === 0) return [];
    const found = await db.orm.execute<{ id: string }>(
      sql`SELECT id FROM (${sql.join(parts, sql` UNION ALL `)}) AS found LIMIT ${MAX_FEW_EVENTS + 1}`,
    );
    if (found.rows.length <= MAX_FEW_EVENTS) return found.rows.map(({ id }) => id);
  }
  return undefined;
}

/** The range is what prunes partitions. */
function fewRows(table: Table, ids: readonly string[]): Way {
  const range = rangeAround(ids);
  const on = range && and(sql`${table.id} = ANY(${hidden(ids)})`, withinRange(table.id, range));
  return { ...roughly(rows(table, ...(on === undefined ? [] : [on]))), isFew: true };
}

interface FoundDelivery {
  id: string;
  finishedAt: Date | null;
}

/** @returns undefined when they are too many. */
async function findDeliveriesOf(db: Connection, eventIds: readonly string[]): Promise<FoundDelivery[] | undefined> {
  const range = rangeAround(eventIds);
  if (range === undefined) return [];
  const { rows: found } = await db.orm.execute<{ id: string; finished_at: string | null }>(
    sql`SELECT of.id, of.finished_at FROM unnest(${sql.param([...eventIds])}::uuid[]) AS found (event_id)
        CROSS JOIN LATERAL ${deliveriesOfFound(wholeMilliseconds(range))} AS of LIMIT ${MAX_FEW_DELIVERIES + 1}`,
  );
  if (found.length > MAX_FEW_DELIVERIES) return undefined;
  return found.map(({ id, finished_at: at }) => ({ id, finishedAt: at === null ? null : new Date(at) }));
}

/**
 * The deliveries of an event, as a subquery in FROM beside the `event_id` of what is called `found`.
 * OFFSET 0 keeps the planner from joining the whole table instead of looking up one event after the other.
 * @param range that they are in; it prunes partitions, which the ids of what is found do not.
 */
export const deliveriesOfFound = (range: IdRange): SQL => sql`(
  SELECT * FROM deliveries
  WHERE id >= (left(found.event_id::text, 13) || '-0000-0000-000000000000')::uuid
    AND id <= (left(found.event_id::text, 13) || '-ffff-ffff-ffffffffffff')::uuid
    AND event_id = found.event_id AND id >= ${range.from} AND id < ${range.to}
  OFFSET 0)`;

/** From the first of some ids to the last; undefined of none. */
function rangeAround(ids: readonly string[]): IdRange | undefined {
  const sorted = ids.toSorted();
  const [first] = sorted;
  return first === undefined ? undefined : { from: first, to: nextId(sorted.at(-1) ?? first) };
}
