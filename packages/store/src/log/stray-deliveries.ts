// Strays: deliveries that were stored long after the time in their ids, because their event waited in a queue, or was
// replayed. The id of a delivery has the time of its event. A range of ids does not find strays by the time at which they
// were created, so each has a row of its own.

import { and, asc, desc } from "drizzle-orm";

import { idFloor } from "@sluice/shared/domain/ids";

import type { Connection, Database } from "../connection/database.ts";
import { pruneBatches } from "../connection/prune-batches.ts";
import { deliveries, strayDeliveries } from "../schema.ts";
import { withinRange } from "./id-range.ts";
import { isShownWithin, type ShownTime, shownAt } from "./shown-time.ts";

const STRAY_AFTER_MS = 10_000;

/**
 * SQL: a part of a WITH that notes which new deliveries are strays. Every statement that makes deliveries MUST have it.
 * @param from an earlier part, which returns the `id` of each delivery.
 */
export const noteStrays = (from: string): string => `strayed AS (
  INSERT INTO stray_deliveries (id, created_at)
  SELECT id, now() FROM ${from} WHERE id < (SELECT uuid_floor(now() - interval '${STRAY_AFTER_MS} ms'))
  ON CONFLICT DO NOTHING
)`;

export function shownTimeOfDeliveries(db: Connection): ShownTime {
  const { id, createdAt } = strayDeliveries;
  const shown = { column: createdAt };
  return {
    ...shownAt(deliveries.createdAt),
    idEarlierMs: STRAY_AFTER_MS,
    findStrays: async (range, page, limit) => {
      const isStray = and(withinRange(id, range), isShownWithin({ id, shown }, page));
      const order = page.order === "oldest" ? asc(id) : desc(id);
      const rows = await db.orm.select({ id }).from(strayDeliveries).where(isStray).orderBy(order).limit(limit);
      return rows.map((row) => row.id);
    },
  };
}

/** Forgets the strays whose ids are from before an instant. */
export async function pruneStrays(db: Database, beforeMs: number): Promise<number> {
  return pruneBatches(db, "stray_deliveries", "id < $1", [idFloor(beforeMs)]);
}
