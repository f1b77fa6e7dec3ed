// Events that the relay itself makes for one target, whatever the target subscribed to: its test. Each is stored as any
// other event is, with one delivery, so that a worker attempts it by the same rules and the log shows it.

import { deliveryId, formatId, newId } from "@sluice/shared/domain/ids";

import type { Database } from "../connection/database.ts";
import { withPartitions } from "../connection/partitions.ts";
import { type NewEvent, storeEvents } from "./store-events.ts";

/**
 * The source of the events that the relay itself makes. The table `sources` has no row with this id, so that no list
 * shows it and no webhook can arrive for it.
 */
export const RELAY_SOURCE_ID = "00000000-0000-7000-8000-000000000000";

/** `storeEvents` wants a lease, but no delivery here is leased: each is due at once. */
const NO_LEASE = { workerId: RELAY_SOURCE_ID, durationMs: 0 };

/**
 * Stores an event in Gemini's envelope and its delivery, whose deadline is now: the first attempt is the last.
 * @param type such as `ping`.
 */
export async function storeRelayEvent(
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
    // Nobody signed it.
    scheme: "none",
    userMetadata: null,
    contentType: "application/json",
    contentEncoding: null,
    body: Buffer.from(JSON.stringify({ type, version: "v1", timestamp, data })),
    labels: null,
    filterErrors: null,
    bodyUnbound: false,
    dataId: data.id,
    token: null,
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
  await withPartitions(db, [id], () => storeEvents(db, null, [event], [delivery], NO_LEASE));
  return { eventId: id, deliveryId: delivery.id };
}
