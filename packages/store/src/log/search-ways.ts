// By which indexes the rows of a list are found: each filter that has an index is a way, and each way gives its rows
// in the order of ids, so that a page can be read from it without the rest.

import { and, eq, isNotNull, isNull, type SQL, sql } from "drizzle-orm";
import type { PgColumn, PgTable } from "drizzle-orm/pg-core";

import { attempts, deliveries, events, eventTerms, rejections } from "../schema.ts";
import { namesOfType } from "@sluice/shared/domain/subscription";
import type { Connection } from "../connection/database.ts";
import {
  type AttemptFilter,
  type DeliveryFilter,
  type EventFilter,
  type RejectionFilter,
  type StatusCodeFilter,
  typePrefix,
} from "./log-filter.ts";
import { ofDeliveries, ofEvent } from "./log-relations.ts";
import { type IdRange, wholeDays, wholeMilliseconds, withinRange } from "./page.ts";

export interface Table {
  table: PgTable;
  id: PgColumn;
}

/** Rows of one index under one condition, which it has in the order of `id`. */
export interface Entries extends Table {
  on: SQL | undefined;
}

export interface Way {
  /** Which have no row in common. */
  entries: Entries[];
  /** Of the list itself; or of what names an event, whose rows of the list are looked up. */
  of: "rows" | "events";
  /** Every row of it matches the filter that it stands for. */
  isExact: boolean;
}

/** A group of types with more names than this has no way of its own. */
const MAX_TYPES = 50;

/** The rows of a list's own table under any of these conditions, which have no row in common. */
export function wayOf(table: Table, ...conditions: (SQL | undefined)[]): Way {
  return { entries: conditions.map((on) => ({ ...table, on })), of: "rows", isExact: true };
}

/** @param range in which its ways are searched. */
export async function eventWays(db: Connection, filter: EventFilter, range: IdRange): Promise<Way[]> {
  const ways = payloadWays(filter);
  if (filter.sourceId !== undefined) ways.push(ofEvents(eq(events.sourceId, filter.sourceId)));
  const types = await typesOf(db, filter.eventType, range);
  if (types !== undefined) ways.push(ofEvents(...types.map((type) => sql`${events.type} COLLATE "C" = ${type}`)));
  return ways;
}

/** By what a few events have in common, such as a job. */
export function payloadWays({ webhookId, dataId, label, userMetadata }: EventFilter): Way[] {
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

export async function deliveryWays(db: Connection, filter: DeliveryFilter, range: IdRange): Promise<Way[]> {
  const { eventId, targetId, statuses, statusCode, errorText, minAttempts } = filter;
  const table = { table: deliveries, id: deliveries.id };
  const ways: Way[] = [];
  if (eventId !== undefined) ways.push(wayOf(table, ofEvent(eventId)));
  ways.push(...(await eventWays(db, filter, wholeMilliseconds(range))).map((way): Way => ({ ...way, of: "events" })));
  if (statuses?.includes("succeeded") === false) {
    const isUnsuccessful = sql`${deliveries.status} <> 'succeeded'`;
    ways.push(wayOf(table, ...statuses.map((status) => and(eq(deliveries.status, status), isUnsuccessful))));
  }
  ways.push(...codeWays(table, deliveries.lastStatusCode, deliveries.lastError, statusCode));
  if (errorText !== undefined) ways.push(roughly(wayOf(table, isNotNull(deliveries.lastError))));
  if (minAttempts !== undefined && minAttempts > 1) {
    ways.push(roughly(wayOf(table, sql`${deliveries.attemptCount} > 1`)));
  }
  if (targetId !== undefined) ways.push(wayOf(table, eq(deliveries.targetId, targetId)));
  return ways;
}

export function attemptWays(filter: AttemptFilter): Way[] {
  const { deliveryId, targetId, statusCode, errorText, minAttempts, triggers } = filter;
  const table = { table: attempts, id: attempts.id };
  const ways: Way[] = [];
  if (deliveryId !== undefined) ways.push(wayOf(table, ofDeliveries([deliveryId])));
  ways.push(...codeWays(table, attempts.statusCode, attempts.error, statusCode));
  if (errorText !== undefined) ways.push(roughly(wayOf(table, isNotNull(attempts.error))));
  const isRepeat = sql`${attempts.trigger} <> 'initial'`;
  if (triggers?.includes("initial") === false) {
    ways.push(wayOf(table, ...triggers.map((trigger) => and(eq(attempts.trigger, trigger), isRepeat))));
  }
  if (minAttempts !== undefined && minAttempts > 1) {
    // Whatever follows a first attempt is one of these.
    const repeats = ["retry", "manual"] as const;
    ways.push(roughly(wayOf(table, ...repeats.map((trigger) => and(eq(attempts.trigger, trigger), isRepeat)))));
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

const ofEvents = (...conditions: SQL[]) => wayOf({ table: events, id: events.id }, ...conditions);

const roughly = (way: Way): Way => ({ ...way, isExact: false });

function ofTerm(kind: string, key: string, value: string): Way {
  const on = sql`${eventTerms.term} = event_term(${kind}::text, ${key}::text, ${value}::text)`;
  return { entries: [{ table: eventTerms, id: eventTerms.eventId, on }], of: "events", isExact: true };
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
  return [wayOf(table, ...conditions)];
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
