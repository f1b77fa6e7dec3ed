// Events that the relay itself makes. A test goes to the one target that is tested, whatever it subscribed to. An operational
// event tells the targets that subscribed to it by name what happened to the relay. Each is stored as any other event is,
// so that a worker attempts it by the same rules and the log shows it.

import { deliveryId, formatId, newId } from "@sluice/shared/domain/ids";
import { type RELAY_TYPES } from "@sluice/shared/domain/subscription";

import type { Connection, Database } from "../connection/database.ts";
import { withPartitions } from "../connection/partitions.ts";
import { RELAY_SCHEME } from "./event-schemes.ts";
import { OPERATIONAL_SOURCE, OPERATIONAL_SOURCE_ID, RELAY_SOURCE_ID } from "./relay-sources.ts";
import { type NewEvent, storeEvents } from "./store-events.ts";
import { storeMatched } from "./store-matched.ts";

/** `storeEvents` wants a lease, but no delivery here is leased: each is due at once. */
const NO_LEASE = { workerId: RELAY_SOURCE_ID, durationMs: 0 };

/** In Gemini's envelope, so that receivers need no other parser. */
function makeEvent(sourceId: string, type: string, data: { id: string }): NewEvent {
  const id = newId();
  const nowMs = Date.now();
  const timestamp = new Date(nowMs).toISOString();
  return {
    id,
    sourceId,
    webhookId: formatId("evt", id),
    type,
    occurredAtMs: nowMs,
    receivedAtMs: nowMs,
    scheme: RELAY_SCHEME,
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
}

/**
 * Stores a test and its delivery, whose deadline is now: the first attempt is the last.
 * @param type such as `ping`.
 */
export async function storeRelayEvent(
  db: Database,
  targetId: string,
  type: string,
): Promise<{ eventId: string; deliveryId: string }> {
  const event = makeEvent(RELAY_SOURCE_ID, type, { id: formatId("tgt", targetId) });
  const delivery = {
    id: deliveryId(event.id, targetId),
    eventId: event.id,
    targetId,
    sourceId: event.sourceId,
    eventType: type,
    webhookId: event.webhookId,
    horizonMs: 0,
    leased: false,
  };
  await withPartitions(db, [event.id], () => storeEvents(db, null, [event], [delivery], NO_LEASE));
  return { eventId: event.id, deliveryId: delivery.id };
}

/**
 * Stores an operational event in the transaction that writes down what happened, so that neither is without the other.
 * @param type one of the relay's own, such as `sluice.source.drift`.
 * @param data what happened; `id` names the subject.
 * @returns the targets whose lanes are to be woken after the transaction.
 */
export async function storeOperationalEvent(
  tx: Connection,
  type: `${typeof RELAY_TYPES}${string}`,
  data: { id: string } & Record<string, unknown>,
): Promise<string[]> {
  const stored = await storeMatched(tx, makeEvent(OPERATIONAL_SOURCE_ID, type, data), OPERATIONAL_SOURCE);
  return stored.kind === "stored" ? stored.targetIds : [];
}
