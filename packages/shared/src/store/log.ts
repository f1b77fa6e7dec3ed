// The delivery log as the API reads it: events, deliveries and attempts, newest first, by keyset. An id is a
// time, so a page is a range of ids and a time range prunes partitions.

import { and, desc, eq, getTableColumns, gte, inArray, lt, lte, or, type SQL, sql } from "drizzle-orm";

import { idFloor, idTime } from "../ids.ts";
import { attempts, deliveries, type DeliveryStatus, events, targets } from "../schema.ts";
import { namesOfType } from "../subscription.ts";
import { noteDeliveries } from "./changes.ts";
import type { Connection, Database } from "./database.ts";
import { type Page, withinPage } from "./page.ts";
import { RELAY_SOURCE_ID } from "./test-event.ts";

/** How far the clocks of a gateway and a worker may be apart. */
const CLOCK_MARGIN_MS = 3_600_000;

/** An event without its body, which may be large. */
export type EventRecord = Omit<typeof events.$inferSelect, "body"> & { sizeBytes: number };
export type DeliveryRecord = typeof deliveries.$inferSelect;
export type AttemptRow = typeof attempts.$inferSelect;

export interface EventFilter {
  sourceId?: string | undefined;
  type?: string | undefined;
  webhookId?: string | undefined;
  label?: { key: string; value: string } | undefined;
}

export interface DeliveryFilter {
  status?: DeliveryStatus | undefined;
  targetId?: string | undefined;
  sourceId?: string | undefined;
  eventId?: string | undefined;
  eventType?: string | undefined;
  webhookId?: string | undefined;
}

/** `batch.*` matches every type that starts with `batch.`; anything else matches itself, under all of its names. */
function matchesType(
  column: typeof events.type | typeof deliveries.eventType,
  type: string | undefined,
): SQL | undefined {
  if (type === undefined || type === "*") return undefined;
  return type.endsWith(".*") ? sql`starts_with(${column}, ${type.slice(0, -1)})` : inArray(column, namesOfType(type));
}

const { body, ...withoutBody } = getTableColumns(events);
const eventColumns = { ...withoutBody, sizeBytes: sql<number>`octet_length(${body})` };

export async function listEvents(db: Database, filter: EventFilter, page: Page): Promise<EventRecord[]> {
  return db.orm
    .select(eventColumns)
    .from(events)
    .where(
      and(
        withinPage(events.id, page),
        filter.sourceId === undefined ? undefined : eq(events.sourceId, filter.sourceId),
        filter.webhookId === undefined ? undefined : eq(events.webhookId, filter.webhookId),
        matchesType(events.type, filter.type),
        filter.label === undefined ? undefined : sql`${events.labels} ->> ${filter.label.key} = ${filter.label.value}`,
      ),
    )
    .orderBy(desc(events.id))
    .limit(page.limit);
}

export async function getEvent(db: Database, id: string): Promise<EventRecord | undefined> {
  return (await db.orm.select(eventColumns).from(events).where(eq(events.id, id)))[0];
}

export async function getEventWithBody(tx: Connection, id: string): Promise<typeof events.$inferSelect | undefined> {
  return (await tx.orm.select().from(events).where(eq(events.id, id)))[0];
}

/** The bodies of events by their ids. The caller bounds their size: see `sizeBytes`. */
export async function readBodies(db: Database, ids: readonly string[]): Promise<Map<string, Buffer>> {
  const sorted = ids.toSorted();
  const [oldest, newest] = [sorted[0], sorted.at(-1)];
  if (oldest === undefined || newest === undefined) return new Map();
  const rows = await db.orm
    .select({ id: events.id, body: events.body })
    .from(events)
    // The range is what prunes partitions.
    .where(and(inArray(events.id, sorted), gte(events.id, oldest), lte(events.id, newest)));
  return new Map(rows.map((row) => [row.id, row.body]));
}

export async function listDeliveries(db: Database, filter: DeliveryFilter, page: Page): Promise<DeliveryRecord[]> {
  const eventIds = await resolveEvents(db, filter);
  if (eventIds !== undefined && eventIds.length === 0) return [];
  return db.orm
    .select()
    .from(deliveries)
    .where(
      and(
        withinPage(deliveries.id, page),
        eventIds === undefined ? undefined : ofEvents(eventIds),
        filter.status === undefined ? undefined : eq(deliveries.status, filter.status),
        filter.targetId === undefined ? undefined : eq(deliveries.targetId, filter.targetId),
        filter.sourceId === undefined ? undefined : eq(deliveries.sourceId, filter.sourceId),
        matchesType(deliveries.eventType, filter.eventType),
      ),
    )
    .orderBy(desc(deliveries.id))
    .limit(page.limit);
}

/** The events that a filter names by id or by webhook id; undefined when it names none. */
async function resolveEvents(db: Database, filter: DeliveryFilter): Promise<string[] | undefined> {
  if (filter.webhookId === undefined) return filter.eventId === undefined ? undefined : [filter.eventId];
  const found = await db.orm.select({ id: events.id }).from(events).where(eq(events.webhookId, filter.webhookId));
  const ids = found.map((row) => row.id);
  return filter.eventId === undefined ? ids : ids.filter((id) => id === filter.eventId);
}

/** A delivery's id has its event's milliseconds, so this is a scan of a few rows of the primary key. */
function ofEvents(eventIds: string[]): SQL | undefined {
  const ranges = eventIds.map((id) =>
    and(
      gte(deliveries.id, idFloor(idTime(id))),
      lt(deliveries.id, idFloor(idTime(id) + 1)),
      eq(deliveries.eventId, id),
    ),
  );
  return or(...ranges);
}

export async function getDelivery(db: Connection, id: string): Promise<DeliveryRecord | undefined> {
  return (await db.orm.select().from(deliveries).where(eq(deliveries.id, id)))[0];
}

/** The newest `limit` attempts of deliveries, oldest first. */
export async function listAttempts(db: Database, deliveryIds: readonly string[], limit: number): Promise<AttemptRow[]> {
  if (deliveryIds.length === 0) return [];
  // No attempt is older than its delivery, but for clocks that differ: this prunes the partitions before.
  const oldestMs = Math.min(...deliveryIds.map(idTime)) - CLOCK_MARGIN_MS;
  const rows = await db.orm
    .select()
    .from(attempts)
    .where(and(inArray(attempts.deliveryId, [...deliveryIds]), gte(attempts.id, idFloor(oldestMs))))
    .orderBy(desc(attempts.id))
    .limit(limit);
  return rows.toReversed();
}

export type RetryResult =
  | { kind: "due"; delivery: DeliveryRecord }
  | { kind: "in_flight" }
  | { kind: "target_gone" }
  | { kind: "not_found" };

/**
 * Makes a delivery due now, whatever its state, with a new deadline and its backoff from the start. One that a worker has in hand is left
 * alone: it is being attempted already.
 */
export async function retryDelivery(db: Connection, id: string): Promise<RetryResult> {
  // A test is attempted once. The target's row is locked: a delete at the same moment then sees what became pending, and cancels it.
  const result = await db.orm.execute(
    sql`WITH target AS (
       SELECT id, retry_horizon_seconds FROM targets
       WHERE id = (SELECT target_id FROM deliveries WHERE id = ${id}) FOR KEY SHARE
     ),
     before AS (SELECT id, status FROM deliveries WHERE id = ${id} FOR UPDATE),
     due AS (
       UPDATE deliveries d SET status = 'pending', next_attempt_at = now(), leased_by = NULL, next_trigger = 'manual',
         backoff_start = attempt_count, finished_at = NULL,
         deadline_at = now() + CASE WHEN d.source_id = ${RELAY_SOURCE_ID} THEN 0 ELSE target.retry_horizon_seconds END * interval '1 s'
       FROM target, before
       WHERE d.id = before.id AND (d.leased_by IS NULL OR d.next_attempt_at <= now())
       RETURNING d.id, before.status
     ),
     retried AS (SELECT id FROM due WHERE status = 'pending'),
     reopened AS (SELECT id FROM due WHERE status <> 'pending'),
     ${sql.raw(noteDeliveries("retried", "retried"))},
     ${sql.raw(noteDeliveries("reopened", "reopened"))}
     SELECT id FROM due`,
  );
  const delivery = await getDelivery(db, id);
  if (delivery === undefined) return { kind: "not_found" };
  if (result.rowCount === 1) return { kind: "due", delivery };
  const target = await db.orm.select({ id: targets.id }).from(targets).where(eq(targets.id, delivery.targetId));
  return target.length === 0 ? { kind: "target_gone" } : { kind: "in_flight" };
}
