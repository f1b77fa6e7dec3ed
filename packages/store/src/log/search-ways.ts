// The ways to find the rows of a list. A way reads the index of one property of a filter, and gives its rows in the
// order of ids, so that a page needs only the beginning of it.

import { and, eq, isNotNull, isNull, type SQL, sql } from "drizzle-orm";
import type { PgColumn, PgTable } from "drizzle-orm/pg-core";

import { namesOfJob } from "@sluice/shared/domain/job-names";
import { namesOfType } from "@sluice/shared/domain/subscription";

import type { Connection } from "../connection/database.ts";
import { attempts, deliveries, events, eventTerms, rejections } from "../schema.ts";
import { type IdRange, rangeAround, wholeDays, wholeMilliseconds, withinRange } from "./id-range.ts";
import {
  type AttemptFilter,
  type DeliveryFilter,
  type EventFilter,
  type RejectionFilter,
  type StatusCodeFilter,
  toList,
  typePrefix,
} from "./log-filter.ts";
import { belongToDeliveries, belongToEvent } from "./log-relations.ts";

export interface Table {
  table: PgTable;
  id: PgColumn;
}

/** The entries of one index that meet one condition. The index has them in the order of `id`. */
export interface Entries extends Table {
  on: SQL | undefined;
}

export interface Way {
  /** No row is in two of these. */
  entries: Entries[];
  /** What an entry is: a row of the list itself, or an event whose rows of the list have to be looked up. */
  leadsTo: "rows" | "events";
  /** Whether every row of the way meets the condition that the way was made for. */
  isExact: boolean;
}

/** A pattern that matches more types than this has no way. */
const MAX_TYPES = 50;

/** The way to the rows of a list's own table that meet any of these conditions. No row may meet two of them. */
export function wayOf(table: Table, ...conditions: (SQL | undefined)[]): Way {
  return { entries: conditions.map((on) => ({ ...table, on })), leadsTo: "rows", isExact: true };
}

/** The way to rows with these ids. Their range lets PostgreSQL skip the other partitions. */
export function wayByIds(table: Table, ids: readonly string[]): Way {
  const range = rangeAround(ids);
  if (range === undefined) return wayOf(table);
  return wayOf(table, and(sql`${table.id} = ANY(${hideFromPlanner(ids)})`, withinRange(table.id, range)));
}

/**
 * Puts ids behind a subquery, so that the planner does not estimate each of them in each partition, which takes some
 * ten milliseconds for hundreds of ids. MUST be fenced by OFFSET 0 from a LIMIT, or the planner reads the whole log in
 * the order of the LIMIT.
 */
export const hideFromPlanner = (ids: readonly string[]): SQL =>
  sql`ARRAY(SELECT unnest(${sql.param([...ids])}::uuid[]))`;

/** @param range the range in which the ways will be searched. */
export async function eventWays(db: Connection, filter: EventFilter, range: IdRange): Promise<Way[]> {
  const ways = payloadWays(filter);
  if (filter.sourceId !== undefined) ways.push(wayToEvents(eq(events.sourceId, filter.sourceId)));
  const types = await findTypes(db, filter.eventType, range);
  if (types !== undefined) ways.push(wayToEvents(...types.map((type) => sql`${events.type} COLLATE "C" = ${type}`)));
  return ways;
}

/** The ways by properties that only a few events have in common, such as a job. */
export function payloadWays({ webhookId, dataId, label, userMetadata }: EventFilter): Way[] {
  const ways: Way[] = [];
  if (webhookId !== undefined) ways.push(wayToEvents(eq(events.webhookId, webhookId)));
  if (dataId !== undefined) ways.push(wayToEvents(...namesOfJob(dataId).map((name) => eq(events.dataId, name))));
  ways.push(...toList(label).map(({ key, value }) => wayToTerm("label", key, value)));
  ways.push(
    ...toList(userMetadata).map(({ key, value }) => {
      if (value === undefined) return wayToTerm("metadata-key", key, "");
      // A JSON null has no term of its own.
      return value === "null" ? inexact(wayToTerm("metadata-key", key, "")) : wayToTerm("metadata", key, value);
    }),
  );
  return ways;
}

export async function deliveryWays(db: Connection, filter: DeliveryFilter, range: IdRange): Promise<Way[]> {
  const { eventId, targetId, statuses, statusCode, errorText, minAttempts } = filter;
  const table = { table: deliveries, id: deliveries.id };
  const ways: Way[] = [];
  if (eventId !== undefined) ways.push(wayOf(table, belongToEvent(eventId)));
  ways.push(
    ...(await eventWays(db, filter, wholeMilliseconds(range))).map((way): Way => ({ ...way, leadsTo: "events" })),
  );
  if (statuses?.includes("succeeded") === false) {
    const isUnsuccessful = sql`${deliveries.status} <> 'succeeded'`;
    ways.push(wayOf(table, ...statuses.map((status) => and(eq(deliveries.status, status), isUnsuccessful))));
  }
  ways.push(...codeWays(table, deliveries.lastStatusCode, deliveries.lastError, statusCode));
  if (errorText !== undefined) ways.push(inexact(wayOf(table, isNotNull(deliveries.lastError))));
  if (minAttempts !== undefined && minAttempts > 1) {
    ways.push(inexact(wayOf(table, sql`${deliveries.attemptCount} > 1`)));
  }
  if (targetId !== undefined) ways.push(wayOf(table, eq(deliveries.targetId, targetId)));
  return ways;
}

export function attemptWays(filter: AttemptFilter): Way[] {
  const { deliveryId, targetId, statusCode, errorText, minAttempts, triggers } = filter;
  const table = { table: attempts, id: attempts.id };
  const ways: Way[] = [];
  if (deliveryId !== undefined) ways.push(wayOf(table, belongToDeliveries([deliveryId])));
  ways.push(...codeWays(table, attempts.statusCode, attempts.error, statusCode));
  if (errorText !== undefined) ways.push(inexact(wayOf(table, isNotNull(attempts.error))));
  const isRepeat = sql`${attempts.trigger} <> 'initial'`;
  if (triggers?.includes("initial") === false) {
    ways.push(wayOf(table, ...triggers.map((trigger) => and(eq(attempts.trigger, trigger), isRepeat))));
  }
  if (minAttempts !== undefined && minAttempts > 1) {
    // Every attempt after the first has one of these triggers.
    const repeats = ["retry", "manual"] as const;
    ways.push(inexact(wayOf(table, ...repeats.map((trigger) => and(eq(attempts.trigger, trigger), isRepeat)))));
  }
  if (targetId !== undefined) ways.push(wayOf(table, eq(attempts.targetId, targetId)));
  return ways;
}

export function rejectionWays({ sourceId, webhookId, reasons, remoteAddress }: RejectionFilter): Way[] {
  const table = { table: rejections, id: rejections.id };
  const ways: Way[] = [];
  if (webhookId !== undefined) ways.push(wayOf(table, eq(rejections.webhookId, webhookId)));
  if (remoteAddress !== undefined) ways.push(wayOf(table, eq(rejections.remoteAddress, remoteAddress)));
  if (reasons !== undefined) ways.push(wayOf(table, ...reasons.map((reason) => eq(rejections.reason, reason))));
  if (sourceId !== undefined) ways.push(wayOf(table, eq(rejections.sourceId, sourceId)));
  return ways;
}

const wayToEvents = (...conditions: SQL[]) => wayOf({ table: events, id: events.id }, ...conditions);

const inexact = (way: Way): Way => ({ ...way, isExact: false });

function wayToTerm(kind: string, key: string, value: string): Way {
  const on = sql`${eventTerms.term} = event_term(${kind}::text, ${key}::text, ${value}::text)`;
  return { entries: [{ table: eventTerms, id: eventTerms.eventId, on }], leadsTo: "events", isExact: true };
}

function codeWays(table: Table, code: PgColumn, error: PgColumn, filter: StatusCodeFilter | undefined): Way[] {
  // Only failures have an index. Most deliveries succeed, and an index of them would have to be written each time.
  if (filter === undefined || filter.classes.includes(2) || filter.codes.some((each) => each >= 200 && each < 300)) {
    return [];
  }
  const isFailure = sql`${code} NOT BETWEEN 200 AND 299`;
  const conditions = [
    ...filter.codes.map((each) => and(eq(code, each), isFailure)),
    ...filter.classes.map((each) => sql`${code} / 100 = ${each} AND ${isFailure}`),
    ...(filter.none ? [and(isNotNull(error), isNull(code))] : []),
  ];
  return [wayOf(table, ...conditions)];
}

/**
 * Finds the names of the types in the range that a filter matches.
 * @returns undefined without a filter, and for more than MAX_TYPES.
 */
async function findTypes(db: Connection, type: string | undefined, range: IdRange): Promise<string[] | undefined> {
  const prefix = typePrefix(type);
  if (type === undefined || type === "*") return undefined;
  if (prefix === undefined) return namesOfType(type);
  // Jumps from each type to the next one in the index, however many events have the type. "/" is the character after
  // ".".
  const column = sql`${events.type} COLLATE "C"`;
  // Whole days, because a partition is a day: with a shorter range, each jump would read past all entries of that day
  // that are outside of it. A type that occurs only outside of the range does no harm: its way has no entries.
  const isOnDays = withinRange(events.id, wholeDays(range));
  const end = `${prefix.slice(0, -1)}/`;
  const { rows: found } = await db.orm.execute<{ type: string }>(sql`
    WITH RECURSIVE types (type) AS (
      (SELECT ${column} FROM ${events} WHERE ${column} >= ${prefix} AND ${column} < ${end} AND ${isOnDays} ORDER BY ${column} LIMIT 1)
      UNION ALL
      SELECT (SELECT ${column} FROM ${events} WHERE ${column} > types.type AND ${column} < ${end} AND ${isOnDays} ORDER BY ${column} LIMIT 1)
      FROM types WHERE types.type IS NOT NULL
    )
    SELECT type FROM types WHERE type IS NOT NULL LIMIT ${MAX_TYPES + 1}`);
  return found.length > MAX_TYPES ? undefined : found.map((row) => row.type);
}
