// Conditions that find the deliveries of an event and the attempts of deliveries. The time in an id tells on which days
// the related rows can be. MUST bound the ids of what is read, or PostgreSQL opens every partition.

import { and, eq, type SQL, sql } from "drizzle-orm";

import { idCeiling, idFloor, idTime } from "@sluice/shared/domain/ids";

import { attempts, deliveries, events } from "../schema.ts";
import type { IdRange } from "./id-range.ts";

/** The most by which the clocks of a gateway and a worker may differ. */
const CLOCK_MARGIN_MS = 3_600_000;

/**
 * The condition on deliveries that they belong to an event. Their ids begin with the event's milliseconds, so that
 * PostgreSQL reads a few rows of the primary key.
 */
export function belongToEvent(eventId: string): SQL | undefined {
  return and(
    sql`${deliveries.id} >= ${idFloor(idTime(eventId))}`,
    sql`${deliveries.id} <= ${idCeiling(eventId)}`,
    eq(deliveries.eventId, eventId),
  );
}

/**
 * The condition on attempts that they belong to deliveries.
 * @param list the same ids as an array in SQL.
 */
export function belongToDeliveries(ids: readonly string[], list = sql`${sql.param([...ids])}::uuid[]`): SQL {
  if (ids.length === 0) return sql`false`;
  // No attempt is older than its delivery, apart from clocks that differ. The bound skips the partitions before that.
  const oldestMs = Math.min(...ids.map(idTime)) - CLOCK_MARGIN_MS;
  return sql`${attempts.deliveryId} = ANY(${list}) AND ${attempts.id} >= ${idFloor(oldestMs)}`;
}

/**
 * SQL: a subquery in FROM that reads the event of a row `found`, by its `event_id`. OFFSET 0 makes the planner look up
 * one event after the other; without it, the planner joins the whole table.
 * @param range the range in which the event is. PostgreSQL skips the other partitions, which it cannot do by
 * `event_id`.
 */
export const eventOfFound = ({ from, to }: IdRange): SQL =>
  sql`(SELECT * FROM ${events} WHERE id = found.event_id AND id >= ${from} AND id < ${to} OFFSET 0)`;

/**
 * SQL: a subquery in FROM that reads the deliveries of an event `found`, with the same parameter and the same OFFSET 0.
 */
export const deliveriesOfFound = ({ from, to }: IdRange): SQL => sql`(
  SELECT * FROM deliveries
  WHERE id >= (left(found.event_id::text, 13) || '-0000-0000-000000000000')::uuid
    AND id <= (left(found.event_id::text, 13) || '-ffff-ffff-ffffffffffff')::uuid
    AND event_id = found.event_id AND id >= ${from} AND id < ${to}
  OFFSET 0)`;
