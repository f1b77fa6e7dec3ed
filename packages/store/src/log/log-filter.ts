// What the log is filtered by, and what it means in SQL: one set of names for every list, and for whatever acts on
// the rows that a list shows. Conditions say which rows match; how they are found is search-ways.ts's.

import { and, eq, gte, inArray, isNotNull, isNull, or, type SQL, sql } from "drizzle-orm";
import type { PgColumn } from "drizzle-orm/pg-core";

import { attempts, type AttemptTrigger, deliveries, type DeliveryStatus, events, rejections } from "../schema.ts";
import type { RefusalReason } from "@sluice/signature/refusal";
import { namesOfType } from "@sluice/shared/domain/subscription";

/** HTTP status codes: any of these. A code stands in `codes` only when its class does not stand in `classes`. */
export interface StatusCodeFilter {
  codes: readonly number[];
  /** 5 for 500 to 599. */
  classes: readonly number[];
  /** No response came. */
  none: boolean;
}

/** Of events. What is absent matches everything; what is there must all match. */
export interface EventFilter {
  sourceId?: string | undefined;
  /** A type, under any of its names; or `batch.*`; or `*`. */
  eventType?: string | undefined;
  webhookId?: string | undefined;
  dataId?: string | undefined;
  label?: { key: string; value: string } | undefined;
  /** Without a value: any. */
  userMetadata?: { key: string; value?: string | undefined } | undefined;
}

/** Of deliveries. */
export interface DeliveryFilter extends EventFilter {
  eventId?: string | undefined;
  targetId?: string | undefined;
  /** Any of these. */
  statuses?: readonly DeliveryStatus[] | undefined;
  /** Of the last attempt, as is `errorText`. */
  statusCode?: StatusCodeFilter | undefined;
  /** Contained, in upper or lower case. */
  errorText?: string | undefined;
  minAttempts?: number | undefined;
}

/** Of attempts: `minAttempts` is compared with the attempt's number. */
export interface AttemptFilter extends Omit<DeliveryFilter, "statuses"> {
  deliveryId?: string | undefined;
  triggers?: readonly AttemptTrigger[] | undefined;
}

export interface RejectionFilter {
  sourceId?: string | undefined;
  webhookId?: string | undefined;
  /** Any of these. */
  reasons?: readonly RefusalReason[] | undefined;
  remoteAddress?: string | undefined;
  /** Contained in the detail, in upper or lower case. */
  errorText?: string | undefined;
}

/** What a row must be, and what must be looked up in another table for each, which costs ten times as much. */
export interface Conditions {
  own: SQL[];
  lookedUp: SQL[];
}

export function eventConditions(filter: EventFilter): Conditions {
  return {
    own: given([
      equals(events.sourceId, filter.sourceId),
      matchesType(events.type, filter.eventType),
      equals(events.webhookId, filter.webhookId),
      ...payloadConditions(filter),
    ]),
    lookedUp: [],
  };
}

export function deliveryConditions(filter: DeliveryFilter): Conditions {
  const ofEvent = and(...given(payloadConditions(filter)));
  return {
    own: given([
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
    lookedUp: given([ofEvent && lookUpEvent(ofEvent)]),
  };
}

export function attemptConditions(filter: AttemptFilter): Conditions {
  const ofEvent = and(...given(payloadConditions(filter)));
  const ofDelivery = and(
    ...given([
      equals(deliveries.eventId, filter.eventId),
      equals(deliveries.webhookId, filter.webhookId),
      ofEvent && lookUpEvent(ofEvent),
    ]),
  );
  return {
    own: given([
      equals(attempts.deliveryId, filter.deliveryId),
      equals(attempts.targetId, filter.targetId),
      equals(attempts.sourceId, filter.sourceId),
      matchesType(attempts.eventType, filter.eventType),
      filter.statusCode && matchesCode(attempts.statusCode, attempts.error, filter.statusCode),
      contains(attempts.error, filter.errorText),
      filter.minAttempts === undefined ? undefined : gte(attempts.number, filter.minAttempts),
      filter.triggers && inArray(attempts.trigger, [...filter.triggers]),
    ]),
    lookedUp: given([
      ofDelivery && sql`(SELECT ${ofDelivery} FROM ${deliveries} WHERE ${deliveries.id} = ${attempts.deliveryId})`,
    ]),
  };
}

export function rejectionConditions(filter: RejectionFilter): Conditions {
  return {
    own: given([
      equals(rejections.sourceId, filter.sourceId),
      equals(rejections.webhookId, filter.webhookId),
      filter.reasons && inArray(rejections.reason, [...filter.reasons]),
      equals(rejections.remoteAddress, filter.remoteAddress),
      contains(rejections.detail, filter.errorText),
    ]),
    lookedUp: [],
  };
}

// A scalar subquery, and not EXISTS: the planner may turn that into a join with the whole table.
const lookUpEvent = (condition: SQL) =>
  sql`(SELECT ${condition} FROM ${events} WHERE ${events.id} = ${deliveries.eventId})`;

/** What only the row of the event tells. */
function payloadConditions({ dataId, label, userMetadata }: EventFilter): (SQL | undefined)[] {
  return [
    equals(events.dataId, dataId),
    label && sql`${events.labels} ->> ${label.key} = ${label.value}`,
    userMetadata &&
      (userMetadata.value === undefined
        ? sql`${events.userMetadata} ? ${userMetadata.key}`
        : sql`${events.userMetadata} ->> ${userMetadata.key} = ${userMetadata.value}`),
  ];
}

/** `batch.*` matches every type that starts with `batch.`; anything else matches itself, under all of its names. */
function matchesType(column: PgColumn, type: string | undefined): SQL | undefined {
  const prefix = typePrefix(type);
  if (prefix !== undefined) return sql`starts_with(${column}, ${prefix})`;
  return type === undefined || type === "*" ? undefined : inArray(column, namesOfType(type));
}

/** `batch.` for `batch.*`; undefined for anything else. */
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

function given(conditions: (SQL | undefined)[]): SQL[] {
  return conditions.filter((condition) => condition !== undefined);
}
