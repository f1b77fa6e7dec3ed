// Makes events, deliveries and attempts as the worker and the gateway make them. A test gives only the fields that it
// is about.

import { randomBytes, randomUUID } from "node:crypto";

import type { QueuedEvent } from "@sluice/queue/jobs";
import { deliveryId, newId } from "@sluice/shared/domain/ids";
import { MasterKey } from "@sluice/shared/settings/master-key";
import { generateSigningSecret } from "@sluice/signature/secret";
import { insertTarget, TARGET_DEFAULTS, type TargetSettings } from "@sluice/store/configuration/targets";
import { readRevision } from "@sluice/store/connection/configuration-revision";
import type { Database } from "@sluice/store/connection/database";
import type { AttemptRecord } from "@sluice/store/delivery/deliveries";
import { type NewDelivery, type NewEvent, storeEvents } from "@sluice/store/delivery/store-events";

const masterKey = new MasterKey(randomBytes(32));

/** A lease of a new worker, which holds no delivery yet. */
export const newLease = (durationMs = 60_000) => ({ workerId: newId(), durationMs });

export function makeEvent(changes: Partial<NewEvent> = {}): NewEvent {
  return {
    id: newId(),
    sourceId: randomUUID(),
    webhookId: `msg_${randomUUID()}`,
    type: "batch.succeeded",
    occurredAtMs: null,
    receivedAtMs: Date.now(),
    scheme: "v1",
    userMetadata: null,
    labels: null,
    filterErrors: null,
    bodyUnbound: false,
    dataId: null,
    token: null,
    contentType: "application/json",
    contentEncoding: null,
    body: Buffer.from("{}"),
    ...changes,
  };
}

export function makeDelivery(event: NewEvent, targetId: string, changes: Partial<NewDelivery> = {}): NewDelivery {
  return {
    id: deliveryId(event.id, targetId),
    eventId: event.id,
    targetId,
    sourceId: event.sourceId,
    eventType: event.type,
    webhookId: event.webhookId,
    horizonMs: 86_400_000,
    leased: false,
    ...changes,
  };
}

export async function seedTarget(db: Database, changes: Partial<TargetSettings> = {}): Promise<string> {
  const settings = { name: "target", uri: "http://127.0.0.1:9/hook", subscribedEvents: ["*"], ...TARGET_DEFAULTS };
  return insertTarget(db, masterKey, { ...settings, ...changes }, generateSigningSecret(), "add_number");
}

/** Stores `count` events with one delivery each, which is due at once. @returns the deliveries. */
export async function seedDeliveries(
  db: Database,
  targetId: string,
  count: number,
  changes: Partial<NewDelivery> = {},
): Promise<NewDelivery[]> {
  const events = Array.from({ length: count }, () => makeEvent());
  const deliveries = events.map((event) => makeDelivery(event, targetId, changes));
  const result = await storeEvents(db, await readRevision(db, "targets"), events, deliveries, newLease());
  if (result.kind !== "stored") throw new Error("The configuration changed meanwhile");
  return deliveries;
}

/** A verified event as the gateway queues it. */
export function makeQueuedEvent(changes: object = {}): QueuedEvent {
  return {
    id: newId(),
    sourceId: newId(),
    webhookId: `msg_${newId()}`,
    scheme: "v1",
    receivedAtMs: Date.now(),
    contentType: null,
    body: Buffer.from("{}").toString("base64"),
    ...changes,
  };
}

/** A failed first attempt, after which the delivery is retried in an hour. */
export function makeAttempt(id: string, changes: Partial<AttemptRecord> = {}): AttemptRecord {
  return {
    id: newId(),
    deliveryId: id,
    number: 1,
    trigger: "initial",
    startedAtMs: Date.now(),
    durationMs: 12.5,
    statusCode: 500,
    error: null,
    responseExcerpt: null,
    details: null,
    next: { status: "pending", retryInMs: 3_600_000 },
    ...changes,
  };
}
