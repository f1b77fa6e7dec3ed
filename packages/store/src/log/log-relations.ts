// Which events, deliveries and attempts belong together, as conditions on ids: an id begins with a time, and so tells in
// which days of the log its own can be. MUST bound the ids of what is read, or every partition is.

import { and, eq, type SQL, sql } from "drizzle-orm";

import { idCeiling, idFloor, idTime } from "@sluice/shared/domain/ids";
import { attempts, deliveries, events } from "../schema.ts";
import type { IdRange } from "./page.ts";

/** How far the clocks of a gateway and a worker may be apart. */
const CLOCK_MARGIN_MS = 3_600_000;

/** The deliveries of an event. Their ids have its milliseconds, so these are a few rows of the primary key. */
export function ofEvent(eventId: string): SQL | undefined {
  return and(
    sql`${deliveries.id} >= ${idFloor(idTime(eventId))}`,
    sql`${deliveries.id} <= ${idCeiling(eventId)}`,
    eq(deliveries.eventId, eventId),
  );
}

/**
 * The attempts of deliveries.
 * @param list the ids as an array in SQL.
 */
export function ofDeliveries(ids: readonly string[], list = sql`${sql.param([...ids])}::uuid[]`): SQL {
  if (ids.length === 0) return sql`false`;
  // No attempt is older than its delivery, but for clocks that differ: this prunes the partitions before.
  const oldestMs = Math.min(...ids.map(idTime)) - CLOCK_MARGIN_MS;
  return sql`${attempts.deliveryId} = ANY(${list}) AND ${attempts.id} >= ${idFloor(oldestMs)}`;
}

/**
 * An event, as a subquery in FROM beside the `event_id` of what is called `found`.
 * OFFSET 0 keeps the planner from joining the whole table instead of looking up one event after the other.
 * @param range that it is in; it prunes partitions, which the ids of what is found do not.
 */
export const eventOfFound = ({ from, to }: IdRange): SQL =>
  sql`(SELECT * FROM ${events} WHERE id = found.event_id AND id >= ${from} AND id < ${to} OFFSET 0)`;

/** The deliveries of an event, likewise. */
export const deliveriesOfFound = ({ from, to }: IdRange): SQL => sql`(
  SELECT * FROM deliveries
  WHERE id >= (left(found.event_id::text, 13) || '-0000-0000-000000000000')::uuid
    AND id <= (left(found.event_id::text, 13) || '-ffff-ffff-ffffffffffff')::uuid
    AND event_id = found.event_id AND id >= ${from} AND id < ${to}
  OFFSET 0)`;
