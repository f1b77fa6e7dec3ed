// Intake: a job of verified requests becomes events and deliveries, once each. Deliveries for which a lane has
// room are stored leased and handed to it at once, body and all; the others are due and get claimed.

import { isStorable, readEnvelope } from "@sluice/shared/envelope";
import type { FilterInput } from "@sluice/shared/filter";
import { readFilterInput } from "@sluice/shared/filter/input";
import { deliveryId, formatId } from "@sluice/shared/ids";
import type { Logger } from "@sluice/shared/log";
import type { JobData, QueuedEvent } from "@sluice/shared/queue/jobs";
import { Interrupted, type Producer } from "@sluice/shared/queue/queue";
import { type Database, isTransient } from "@sluice/shared/store/database";
import { type ClaimedDelivery, handBack } from "@sluice/shared/store/deliveries";
import { type NewDelivery, type NewEvent, storeEvents } from "@sluice/shared/store/intake";
import { withPartitions } from "@sluice/shared/store/partitions";
import type { Refreshed } from "@sluice/shared/store/refreshed";
import type { Target } from "@sluice/shared/store/targets";
import type { FilterError } from "@sluice/shared/schema";
import { matchesSubscription } from "@sluice/shared/subscription";

import type { Lanes } from "./lanes.ts";
import type { Leases } from "./leases.ts";
import { pause } from "./pause.ts";

const RETRY_MS = 500;

/** An event on its way, with what filters see of it: read once, and only when a target has a filter. */
interface Incoming {
  event: NewEvent;
  filterInput: () => FilterInput;
}

export interface IntakeDependencies {
  db: Database;
  targets: Refreshed<Map<string, Target>>;
  lanes: Lanes;
  leases: Leases;
  producer: Producer;
  /** Aborts when the worker stops: what waits for PostgreSQL then goes back to the queue. */
  stopping: AbortSignal;
  log: Logger;
}

/** @throws Interrupted when the worker stops before the events are stored. */
export async function takeIn(job: JobData["intake"], dependencies: IntakeDependencies): Promise<void> {
  const { db, targets, lanes, stopping, log } = dependencies;
  const incoming = job.events.map(toIncoming);
  let mayBeStored = false;
  for (;;) {
    const { revision, value } = targets.current;
    const { events, deliveries } = match(incoming, value, lanes);
    try {
      const ids = events.map((event) => event.id);
      const result = await withPartitions(db, ids, () =>
        storeEvents(db, revision, events, deliveries, dependencies.leases.lease),
      );
      if (result.kind === "stored") {
        handOver(events, deliveries, result.freshEventIds, lanes);
        if (mayBeStored) await freeOwn(deliveries, result.freshEventIds, dependencies);
        const duplicates = events.length - result.freshEventIds.size;
        if (duplicates > 0) log.info({ events: events.length, duplicates }, "duplicates");
        return;
      }
      cancelReservations(deliveries, lanes);
      await targets.refresh();
    } catch (error) {
      cancelReservations(deliveries, lanes);
      if (!isTransient(error)) return setAside(job.events, error, dependencies);
      log.warn({ err: error, events: events.length }, "events not stored yet");
      // PostgreSQL may have committed, and only its answer was lost.
      mayBeStored = true;
      if ((await pause(RETRY_MS, stopping)) === "aborted") throw new Interrupted();
    }
  }
}

function toIncoming(queued: QueuedEvent): Incoming {
  const { body: encoded, sourceName, labels = null, userMetadata = null, bodyUnbound = false, ...rest } = queued;
  const body = Buffer.from(encoded, "base64");
  const envelope = readEnvelope(body);
  const event = {
    ...rest,
    ...envelope,
    userMetadata: envelope.userMetadata ?? (isStorable(userMetadata) ? userMetadata : null),
    body,
    labels,
    filterErrors: null,
    bodyUnbound,
  };
  let input: FilterInput | undefined;
  return { event, filterInput: () => (input ??= readFilterInput(event, sourceName)) };
}

/** The deliveries of the events, and the events with what their targets' filters failed on. */
function match(
  incoming: readonly Incoming[],
  targets: Map<string, Target>,
  lanes: Lanes,
): { events: NewEvent[]; deliveries: NewDelivery[] } {
  const deliveries: NewDelivery[] = [];
  const failures = new Map<string, FilterError[]>();
  for (const target of targets.values()) {
    // A paused target's deliveries are stored and held; a disabled one is not subscribed.
    if (target.state !== "enabled" && target.state !== "paused") continue;
    for (const { event, filterInput } of incoming) {
      if (!matchesSubscription(target.subscribedEvents, event.type)) continue;
      const matches = target.filter === null || target.filter.matches(filterInput());
      if (matches === false) continue;
      if (matches !== true) {
        const known = failures.get(event.id) ?? [];
        failures.set(event.id, [...known, { target: target.id, error: matches.error }]);
        continue;
      }
      deliveries.push({
        id: deliveryId(event.id, target.id),
        eventId: event.id,
        targetId: target.id,
        sourceId: event.sourceId,
        eventType: event.type,
        webhookId: event.webhookId,
        horizonMs: target.retryHorizonSeconds * 1000,
        leased: lanes.of(target.id).reserve(),
      });
    }
  }
  const events = incoming.map(({ event }) => ({ ...event, filterErrors: failures.get(event.id) ?? null }));
  return { events, deliveries };
}

function handOver(events: NewEvent[], deliveries: NewDelivery[], fresh: Set<string>, lanes: Lanes): void {
  const byId = new Map(events.map((event) => [event.id, event]));
  for (const delivery of deliveries) {
    const lane = lanes.of(delivery.targetId);
    const event = byId.get(delivery.eventId);
    if (event === undefined || !fresh.has(delivery.eventId)) {
      if (delivery.leased) lane.cancelReservation();
    } else if (delivery.leased) {
      lane.accept(toClaimed(event, delivery));
    } else {
      lane.wake();
    }
  }
}

function toClaimed(event: NewEvent, delivery: NewDelivery): ClaimedDelivery {
  return {
    id: delivery.id,
    eventId: event.id,
    targetId: delivery.targetId,
    webhookId: event.webhookId,
    contentType: event.contentType,
    body: event.body,
    attemptCount: 0,
    trigger: "initial",
    deadlineInMs: delivery.horizonMs,
  };
}

/**
 * Deliveries that an earlier try of this job stored, leased to this worker, and never handed to a lane: due at once,
 * and not when their lease runs out. Should this fail, that is what happens.
 */
async function freeOwn(deliveries: NewDelivery[], fresh: Set<string>, dependencies: IntakeDependencies): Promise<void> {
  const { db, lanes, leases, log } = dependencies;
  const own = deliveries.filter(({ eventId }) => !fresh.has(eventId));
  const ids = own.map(({ id }) => id);
  await handBack(db, ids, leases.lease.workerId).catch((error: unknown) => log.warn({ err: error }, "not handed back"));
  for (const targetId of new Set(own.map((delivery) => delivery.targetId))) lanes.of(targetId).wake();
}

function cancelReservations(deliveries: NewDelivery[], lanes: Lanes): void {
  for (const delivery of deliveries) if (delivery.leased) lanes.of(delivery.targetId).cancelReservation();
}

/**
 * PostgreSQL refused the batch for something in it. Each event goes back alone, so that the bad one fails by
 * itself and is set aside, and the others pass. A crash in between repeats some, which the ledger drops.
 */
async function setAside(events: QueuedEvent[], cause: unknown, { producer, log }: IntakeDependencies): Promise<void> {
  const ids = events.map((event) => formatId("evt", event.id));
  log.error({ err: cause, events: ids }, "events refused by PostgreSQL");
  if (events.length === 1) throw cause;
  for (const event of events) await producer.add("intake", { events: [event] });
}
