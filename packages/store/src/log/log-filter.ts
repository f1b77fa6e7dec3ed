// The filters of the log and their conditions in SQL. Every list, and every action on the rows of a list, uses the same
// names. Conditions only say which rows match; search-ways.ts decides how to find them.

import { and, eq, gte, inArray, isNotNull, isNull, or, type SQL, sql } from "drizzle-orm";
import type { PgColumn } from "drizzle-orm/pg-core";

import { namesOfJob } from "@sluice/shared/domain/job-names";
import { namesOfType } from "@sluice/shared/domain/subscription";
import type { RefusalReason } from "@sluice/signature/refusal";

import { attempts, type AttemptTrigger, deliveries, type DeliveryStatus, events, rejections } from "../schema.ts";

/** Matches any of these HTTP status codes. A code is in `codes` only when its class is not in `classes`. */
export interface StatusCodeFilter {
  codes: readonly number[];
  /** The first digits of codes: 5 matches 500 to 599. */
  classes: readonly number[];
  /** Whether to match attempts that got no response. */
  none: boolean;
}

/** Filters events. An absent property matches everything; an event must match every property that is there. */
export interface EventFilter {
  sourceId?: string | undefined;
  /** A type under any of its names, or a pattern such as `batch.*` or `*`. */
  eventType?: string | undefined;
  webhookId?: string | undefined;
  dataId?: string | undefined;
  label?: OneOrMore<LabelFilter> | undefined;
  userMetadata?: OneOrMore<MetadataFilter> | undefined;
}

export interface LabelFilter {
  key: string;
  value: string;
}

/** Without `value`, matches any value of the key. The value `null` matches the JSON null and the text. */
export interface MetadataFilter {
  key: string;
  value?: string | undefined;
}

/**
 * An event must match all of a list. One filter is no list: the rows of operations hold filters, and a worker of the version
 * before this one reads them too. That worker fails on a list and does not change more than was asked for.
 */
export type OneOrMore<T> = T | readonly T[];

export const toList = <T extends object>(given: OneOrMore<T> | undefined): readonly T[] =>
  given === undefined ? [] : ([given].flat() as T[]);

/** Filters deliveries, by themselves and by their events. */
export interface DeliveryFilter extends EventFilter {
  eventId?: string | undefined;
  targetId?: string | undefined;
  /** Matches any of these. */
  statuses?: readonly DeliveryStatus[] | undefined;
  /** Compared with the last attempt, as is `errorText`. */
  statusCode?: StatusCodeFilter | undefined;
  /** A part of the error, in upper or lower case. */
  errorText?: string | undefined;
  minAttempts?: number | undefined;
}

/** Filters attempts. Compares `statusCode` and `errorText` with the attempt, and `minAttempts` with its number. */
export interface AttemptFilter extends Omit<DeliveryFilter, "statuses"> {
  deliveryId?: string | undefined;
  triggers?: readonly AttemptTrigger[] | undefined;
}

export interface RejectionFilter {
  sourceId?: string | undefined;
  webhookId?: string | undefined;
  /** Matches any of these. */
  reasons?: readonly RefusalReason[] | undefined;
  remoteAddress?: string | undefined;
  /** A part of the detail, in upper or lower case. */
  errorText?: string | undefined;
}

/** The conditions that a row must meet, all of them. */
export interface Conditions {
  /** Conditions on the columns of the row. */
  own: SQL[];
  /** Conditions that look up another table for each row, which costs ten times as much. */
  lookedUp: SQL[];
}

export function eventConditions(filter: EventFilter): Conditions {
  return {
    own: keepDefined([
      equals(events.sourceId, filter.sourceId),
      matchesType(events.type, filter.eventType),
      equals(events.webhookId, filter.webhookId),
      ...payloadConditions(filter),
    ]),
    lookedUp: [],
  };
}

export function deliveryConditions(filter: DeliveryFilter): Conditions {
  const eventCondition = and(...keepDefined(payloadConditions(filter)));
  return {
    own: keepDefined([
      equals(deliveries.eventId, filter.eventId),
      equals(deliveries.sourceId, filter.sourceId),
      matchesType(deliveries.eventType, filter.eventType),
      equals(deliveries.webhookId, filter.webhookId),
      equals(deliveries.targetId, filter.targetId),
      filter.statuses && inArray(deliveries.status, [...filter.statuses]),
      filter.statusCode && matchesCode(deliveries.lastStatusCode, deliveries.lastError, filter.statusCode),
      contains(deliveries.lastError, filter.errorText),
      filter.minAttempts === undefined ? undefined : gte(deliveries.attemptCount, filter.minAttempts),
    ]),
    lookedUp: keepDefined([eventCondition && lookUpEvent(eventCondition)]),
  };
}

export function attemptConditions(filter: AttemptFilter): Conditions {
  const eventCondition = and(...keepDefined(payloadConditions(filter)));
  const deliveryCondition = and(
    ...keepDefined([
      equals(deliveries.eventId, filter.eventId),
      equals(deliveries.webhookId, filter.webhookId),
      eventCondition && lookUpEvent(eventCondition),
    ]),
  );
  return {
    own: keepDefined([
      equals(attempts.deliveryId, filter.deliveryId),
      equals(attempts.targetId, filter.targetId),
      equals(attempts.sourceId, filter.sourceId),
      matchesType(attempts.eventType, filter.eventType),
      filter.statusCode && matchesCode(attempts.statusCode, attempts.error, filter.statusCode),
      contains(attempts.error, filter.errorText),
      filter.minAttempts === undefined ? undefined : gte(attempts.number, filter.minAttempts),
      filter.triggers && inArray(attempts.trigger, [...filter.triggers]),
    ]),
    lookedUp: keepDefined([
      deliveryCondition &&
        sql`(SELECT ${deliveryCondition} FROM ${deliveries} WHERE ${deliveries.id} = ${attempts.deliveryId})`,
    ]),
  };
}

export function rejectionConditions(filter: RejectionFilter): Conditions {
  return {
    own: keepDefined([
      equals(rejections.sourceId, filter.sourceId),
      equals(rejections.webhookId, filter.webhookId),
      filter.reasons && inArray(rejections.reason, [...filter.reasons]),
      equals(rejections.remoteAddress, filter.remoteAddress),
      contains(rejections.detail, filter.errorText),
    ]),
    lookedUp: [],
  };
}

// MUST stay a scalar subquery: the planner may turn EXISTS into a join with the whole table.
const lookUpEvent = (condition: SQL) =>
  sql`(SELECT ${condition} FROM ${events} WHERE ${events.id} = ${deliveries.eventId})`;

/** The conditions on columns that only the table of events has. */
function payloadConditions({ dataId, label, userMetadata }: EventFilter): (SQL | undefined)[] {
  return [
    dataId === undefined ? undefined : inArray(events.dataId, namesOfJob(dataId)),
    ...toList(label).map(({ key, value }) => sql`${events.labels} ->> ${key} = ${value}`),
    ...toList(userMetadata).map(matchesMetadata),
  ];
}

function matchesMetadata({ key, value }: MetadataFilter): SQL {
  if (value === undefined) return sql`${events.userMetadata} ? ${key}`;
  // `->>` gives no text for a JSON null.
  const text = sql`${events.userMetadata} ->> ${key}`;
  return value === "null"
    ? sql`(${events.userMetadata} ? ${key} AND coalesce(${text}, ${value}) = ${value})`
    : sql`${text} = ${value}`;
}

/**
 * `batch.*` matches every type that starts with `batch.`; any other text matches the type that has it as
 * one of its names.
 */
function matchesType(column: PgColumn, type: string | undefined): SQL | undefined {
  const prefix = typePrefix(type);
  if (prefix !== undefined) return sql`starts_with(${column}, ${prefix})`;
  return type === undefined || type === "*" ? undefined : inArray(column, namesOfType(type));
}

/** @returns `batch.` for `batch.*`; undefined for a type that is no such pattern. */
export function typePrefix(type: string | undefined): string | undefined {
  return type?.endsWith(".*") === true ? type.slice(0, -1) : undefined;
}

function matchesCode(code: PgColumn, error: PgColumn, { codes, classes, none }: StatusCodeFilter): SQL | undefined {
  return or(
    codes.length === 0 ? undefined : inArray(code, [...codes]),
    classes.length === 0 ? undefined : inArray(sql`${code} / 100`, [...classes]),
    none ? and(isNull(code), isNotNull(error)) : undefined,
  );
}

function contains(column: PgColumn, text: string | undefined): SQL | undefined {
  return text === undefined ? undefined : sql`strpos(lower(${column}), lower(${text})) > 0`;
}

function equals(column: PgColumn, value: string | undefined): SQL | undefined {
  return value === undefined ? undefined : eq(column, value);
}

function keepDefined(conditions: (SQL | undefined)[]): SQL[] {
  return conditions.filter((condition) => condition !== undefined);
}
