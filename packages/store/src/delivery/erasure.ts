// Erases the content of one event at once, by hand. What is not finished is cancelled, also what a worker has in hand: an attempt
// under way cannot be called back, and is logged without an excerpt (RECORD in deliveries.ts).

import { eq, sql } from "drizzle-orm";

import { idFloor, readId } from "@sluice/shared/domain/ids";

import type { Connection, Database } from "../connection/database.ts";
import { belongToEvent } from "../log/log-relations.ts";
import { type EventRecord, getEvent } from "../log/records.ts";
import { deliveries, events, operations } from "../schema.ts";
import { lockBodies, removeBodies } from "./removed-bodies.ts";
import { cancelAll, IS_FREE, SET_CANCELLED } from "./transitions.ts";

/** How long erasures are repeated: a retention that copies a day, or an attempt that ends late, takes no longer. */
const REPEATED_MS = 48 * 3_600_000;

export type Erasure =
  | { kind: "not_found" }
  | {
      /** `unchanged`: the event was erased before. */
      kind: "erased" | "unchanged";
      event: EventRecord;
      cancelled: number;
      /** How many of those that were cancelled a worker had in hand. */
      inFlight: number;
    };

const SET_ERASED = `${SET_CANCELLED}, last_error = 'erased: the event was erased before the delivery was finished'
  || coalesce('; before: ' || last_error, '')`;

/** MUST run in a transaction. */
export async function eraseEvent(tx: Connection, id: string): Promise<Erasure> {
  await lockBodies(tx);
  const earlier = await getEvent(tx, id);
  if (earlier === undefined) return { kind: "not_found" };
  if (earlier.bodyRemovedBy === "erasure") return { kind: "unchanged", event: earlier, cancelled: 0, inFlight: 0 };
  // In the order of ids, as workers lock deliveries.
  const { rows } = await tx.orm.execute<{ is_free: boolean }>(sql`
    WITH waiting AS (
      SELECT id, ${sql.raw(IS_FREE)} AS is_free FROM ${deliveries}
      WHERE ${belongToEvent(id)} AND status = 'pending' ORDER BY id FOR UPDATE
    ),
    ${sql.raw(cancelAll("waiting", SET_ERASED))}
    SELECT is_free FROM waiting`);
  await removeBodies(tx, [id], "erasure");
  // The error of a filter may quote what it failed on.
  await tx.orm
    .update(operations)
    .set({ replay: sql`jsonb_set(${operations.replay}, '{first_filter_error}', 'null')` })
    .where(sql`${operations.replay} #>> '{first_filter_error,event}' = ${id}`);
  const event = await getEvent(tx, id);
  if (event === undefined) return { kind: "not_found" };
  return { kind: "erased", event, cancelled: rows.length, inFlight: rows.filter((row) => !row.is_free).length };
}

/**
 * Removes once more what was erased of late. While an erasure is committed, a worker may write the excerpt of an attempt, and a
 * retention may have copied the event: both saw the event as it was.
 */
export async function repeatErasures(db: Database): Promise<void> {
  const { rows } = await db.pool.query<{ resource_id: string }>(
    "SELECT resource_id FROM audit WHERE id >= $1 AND action = 'event.erased'",
    [idFloor(Date.now() - REPEATED_MS)],
  );
  for (const { resource_id: shown } of rows) {
    const id = readId("evt", shown);
    if (id === undefined) continue;
    await db.orm.transaction(async (orm) => {
      await lockBodies({ orm });
      const [event] = await orm.select({ id: events.id }).from(events).where(eq(events.id, id));
      if (event !== undefined) await removeBodies({ orm }, [id], "erasure");
    });
  }
}
