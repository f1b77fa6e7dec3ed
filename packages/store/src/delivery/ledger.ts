// The dedupe ledger `event_keys`: the event that each webhook id of a source became. `storeEvents` writes it.

import { and, eq } from "drizzle-orm";

import { idFloor } from "@sluice/shared/domain/ids";

import type { Connection, Database } from "../connection/database.ts";
import { pruneBatches } from "../connection/prune-batches.ts";
import { eventKeys } from "../schema.ts";

export async function findEventId(tx: Connection, sourceId: string, webhookId: string): Promise<string | undefined> {
  const found = await tx.orm
    .select({ id: eventKeys.eventId })
    .from(eventKeys)
    .where(and(eq(eventKeys.sourceId, sourceId), eq(eventKeys.webhookId, webhookId)));
  return found[0]?.id;
}

/** Deletes the entries of events that were made before an instant. @returns how many. */
export async function pruneLedger(db: Database, beforeMs: number): Promise<number> {
  return pruneBatches(db, "event_keys", "event_id < $1", [idFloor(beforeMs)]);
}
