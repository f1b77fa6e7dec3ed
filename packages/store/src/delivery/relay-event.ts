// Test events: made by the relay, for one target, whatever it subscribed to. Stored as any other event is, with one
// delivery, so that a worker attempts it by the same rules and it stands in the log.

import { deliveryId, formatId, newId } from "@sluice/shared/domain/ids";
import { readRevision } from "../connection/configuration-row.ts";
import type { Database } from "../connection/database.ts";
import { type NewEvent, storeEvents } from "./store-events.ts";
import { withPartitions } from "../connection/partitions.ts";

/**
 * The source of events that the relay makes itself. It is in no list, as one that was deleted is not, and nothing
 * arrives for it: what has this id was not sent by anyone.
 */
export const RELAY_SOURCE_ID = "00000000-0000-7000-8000-000000000000";

/** Nothing is leased here: the delivery is due at once. */
const NO_LEASE = { workerId: RELAY_SOURCE_ID, durationMs: 0 };

/**
 * Stores an event in Gemini's envelope and its delivery, whose deadline is now: the first attempt is the last.
 * @param type such as `ping`.
 */
export async function storeTestEvent(
  db: Database,
  targetId: string,
  type: string,
): Promise<{ eventId: string; deliveryId: string }> {
  const id = newId();
  const nowMs = Date.now();
  const timestamp = new Date(nowMs).toISOString();
  const data = { id: formatId("tgt", targetId) };
  const event: NewEvent = {
    id,
    sourceId: RELAY_SOURCE_ID,
    webhookId: formatId("evt", id),
    type,
    occurredAtMs: nowMs,
    receivedAtMs: nowMs,
    // It came without a signature.
    scheme: "none",
    userMetadata: null,
    contentType: "application/json",
    body: Buffer.from(JSON.stringify({ type, version: "v1", timestamp, data })),
    labels: null,
    filterErrors: null,
    bodyUnbound: false,
    dataId: data.id,
  };
  const delivery = {
    id: deliveryId(id, targetId),
    eventId: id,
    targetId,
    sourceId: event.sourceId,
    eventType: type,
    webhookId: event.webhookId,
    horizonMs: 0,
    leased: false,
  };
  for (;;) {
    // The statement wants to know the configuration that its deliveries were matched with, and this one is not matched.
    const revision = await readRevision(db);
    const result = await withPartitions(db, [id], () => storeEvents(db, revision, [event], [delivery], NO_LEASE));
    if (result.kind === "stored") return { eventId: id, deliveryId: delivery.id };
  }
}
