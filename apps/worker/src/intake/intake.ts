// Intake: a job of verified requests becomes events and deliveries, once each. Deliveries for which a lane has
// room are stored leased and handed to it at once, body and all; the others are due and get claimed.

import { isStorable, readEnvelope } from "@sluice/shared/domain/envelope";
import { deliveryTo, fanOut, isSubscribed } from "@sluice/store/delivery/fan-out";
import type { FilterInput } from "@sluice/filter/compile";
import { readFilterInput } from "@sluice/filter/input";
import { formatId } from "@sluice/shared/domain/ids";
import type { Logger } from "@sluice/shared/runtime/log";
import { sparing } from "@sluice/shared/runtime/sparing-log";
import type { JobData, QueuedEvent } from "@sluice/queue/jobs";
import { Interrupted, type Producer } from "@sluice/queue/queue";
import type { Database } from "@sluice/store/connection/database";
import { isDataFault } from "@sluice/store/connection/postgres-errors";
import { type ClaimedDelivery, handBack } from "@sluice/store/delivery/deliveries";
import { type StoreResult, type NewDelivery, type NewEvent, storeEvents } from "@sluice/store/delivery/store-events";
import { withPartitions } from "@sluice/store/connection/partitions";
import type { ConfigurationCopy } from "@sluice/store/configuration/configuration-copy";
import type { Target } from "@sluice/store/configuration/targets";

import { Ungroupable } from "./intake-group.ts";
import type { Lanes } from "../deliver/lanes.ts";
import type { Leases } from "../deliver/leases.ts";
import { pause } from "@sluice/shared/runtime/pause";

const RETRY_MS = 500;

/** An event on its way, with what filters see of it: read once, and only when a target has a filter. */
interface Incoming {
  queued: QueuedEvent;
  event: NewEvent;
  filterInput: () => FilterInput;
}

/** The events of a job that cannot be taken in, and why. */
type Refused = Map<QueuedEvent, unknown>;

export interface IntakeDependencies {
  db: Database;
  targets: ConfigurationCopy<Map<string, Target>>;
  lanes: Lanes;
  leases: Leases;
  producer: Producer;
  /** Aborts when the worker stops: what waits for PostgreSQL then goes back to the queue. */
  stopping: AbortSignal;
  log: Logger;
}

/**
 * @param isGroup of jobs that are one for this statement alone: then all events are stored, or none.
 * @throws Interrupted when the worker stops before the events are stored.
 * @throws Ungroupable when an event of a group is at fault.
 */
export async function takeIn(job: JobData["intake"], dependencies: IntakeDependencies, isGroup = false): Promise<void> {
  const { db, targets, lanes, leases, stopping, log } = dependencies;
  const refused: Refused = new Map();
  // Each by itself: one that cannot be read MUST NOT take the other acknowledged ones of its batch with it.
  const incoming = job.events.flatMap((queued) => forOne(queued, () => [toIncoming(queued)], refused) ?? []);
  const waitForStore = async (error: unknown) => {
    sparing(log).warn({ err: error, events: incoming.length }, "events not stored yet");
    if ((await pause(RETRY_MS, stopping)) === "aborted") throw new Interrupted();
  };
  let mayBeStored = false;
  let hasWaited = false;
  for (;;) {
    const { revision, value } = targets.current;
    const { events, matched } = match(incoming, value, refused);
    if (isGroup && refused.size > 0) throw new Ungroupable();
    if (events.length === 0) return setAside(job.events, refused, dependencies);
    if (!hasWaited) {
      hasWaited = true;
      const targetIds = matched.map(({ targetId }) => targetId);
      await lanes.catchUp(targetIds, stopping);
      // Matched with what is not true any more, the statement would be in vain.
      if (targets.current.revision !== revision) continue;
    }
    const deliveries = matched.map((one) => ({ ...one, leased: lanes.forTarget(one.targetId).reserve() }));
    let result: StoreResult;
    try {
      const ids = events.map((event) => event.id);
      result = await withPartitions(db, ids, () => storeEvents(db, revision, events, deliveries, leases.lease));
    } catch (error) {
      cancelReservations(deliveries, lanes);
      if (isDataFault(error)) {
        if (isGroup) throw new Ungroupable();
        for (const queued of job.events) if (!refused.has(queued)) refused.set(queued, error);
        return setAside(job.events, refused, dependencies);
      }
      // PostgreSQL may have committed, and only its answer was lost.
      mayBeStored = true;
      await waitForStore(error);
      continue;
    }
    if (result.kind === "stored") {
      handOver(events, deliveries, result.freshEventIds, lanes);
      if (mayBeStored) await freeOwn(deliveries, result.freshEventIds, dependencies);
      const duplicates = events.length - result.freshEventIds.size;
      if (duplicates > 0) log.info({ events: events.length, duplicates }, "duplicates");
      return setAside(job.events, refused, dependencies);
    }
    cancelReservations(deliveries, lanes);
    await targets.refresh().catch(waitForStore);
  }
}

/** What `work` makes of an event; undefined, and the event refused, when it throws. */
function forOne<T>(queued: QueuedEvent, work: () => T, refused: Refused): T | undefined {
  try {
    return work();
  } catch (error) {
    refused.set(queued, error);
    return undefined;
  }
}

function toIncoming(queued: QueuedEvent): Incoming {
  const { labels = null, userMetadata = null, bodyUnbound = false } = queued;
  const body = Buffer.from(queued.body, "base64");
  const envelope = readEnvelope(body);
  const event: NewEvent = {
    id: queued.id,
    sourceId: queued.sourceId,
    webhookId: queued.webhookId,
    type: envelope.type,
    occurredAtMs: envelope.occurredAtMs,
    receivedAtMs: queued.receivedAtMs,
    scheme: queued.scheme,
    userMetadata: envelope.userMetadata ?? (isStorable(userMetadata) ? userMetadata : null),
    contentType: queued.contentType,
    body,
    labels,
    filterErrors: null,
    bodyUnbound,
    dataId: envelope.dataId,
  };
  let input: FilterInput | undefined;
  return { queued, event, filterInput: () => (input ??= readFilterInput(event, queued.sourceName)) };
}

/** What the events become: their deliveries, and they themselves with what their targets' filters failed on. */
function match(
  incoming: readonly Incoming[],
  targets: Map<string, Target>,
  refused: Refused,
): { events: NewEvent[]; matched: Omit<NewDelivery, "leased">[] } {
  const subscribers = [...targets.values()].filter(isSubscribed);
  const results = incoming
    .filter(({ queued }) => !refused.has(queued))
    .flatMap((one) => forOne(one.queued, () => [matchOne(one, subscribers)], refused) ?? []);
  return { events: results.map(({ event }) => event), matched: results.flatMap(({ matched }) => matched) };
}

function matchOne({ event, filterInput }: Incoming, subscribers: readonly Target[]) {
  const { matched, filterErrors } = fanOut(event.type, filterInput, subscribers);
  return {
    event: filterErrors.length === 0 ? event : { ...event, filterErrors },
    matched: matched.map((target) => deliveryTo(target, event)),
  };
}

function handOver(events: NewEvent[], deliveries: NewDelivery[], fresh: Set<string>, lanes: Lanes): void {
  const byId = new Map(events.map((event) => [event.id, event]));
  for (const delivery of deliveries) {
    const lane = lanes.forTarget(delivery.targetId);
    const event = byId.get(delivery.eventId);
    if (event === undefined || !fresh.has(delivery.eventId)) {
      if (delivery.leased) lane.cancelReservation();
    } else if (delivery.leased) {
      lane.accept(toClaimed(event, delivery));
    } else {
      lane.wake(1);
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
    failureCount: 0,
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
  // What a lane has came by another copy of the job, which this worker took in too.
  const own = deliveries.filter(({ id, eventId }) => !fresh.has(eventId) && !leases.holds(id));
  const ids = own.map(({ id }) => id);
  await handBack(db, ids, leases.lease.workerId).catch((error: unknown) =>
    sparing(log).warn({ err: error }, "not handed back"),
  );
  for (const targetId of new Set(own.map((delivery) => delivery.targetId))) lanes.forTarget(targetId).wake();
}

function cancelReservations(deliveries: NewDelivery[], lanes: Lanes): void {
  for (const delivery of deliveries) if (delivery.leased) lanes.forTarget(delivery.targetId).cancelReservation();
}

/**
 * Each event that was refused goes back alone, so that a bad one fails by itself and is kept in the failed set, and
 * the others of its batch pass. A crash in between repeats some, which the ledger drops.
 * @throws what the only event of a job was refused for. Interrupted when the worker stops meanwhile.
 */
async function setAside(events: QueuedEvent[], refused: Refused, dependencies: IntakeDependencies): Promise<void> {
  const { producer, stopping, log } = dependencies;
  for (const [event, cause] of refused) {
    log.error({ err: cause, event: describeId(event), batch: events.length }, "event cannot be stored");
    if (events.length === 1) throw cause;
    while (!(await isAdded(event))) {
      if ((await pause(RETRY_MS, stopping)) === "aborted") throw new Interrupted();
    }
  }

  async function isAdded(event: QueuedEvent): Promise<boolean> {
    try {
      await producer.add("intake", { events: [event] });
      return true;
    } catch (error) {
      // The queue is away: nothing is wrong with the batch, and it MUST NOT fail for that.
      sparing(log).warn({ err: error }, "event not set aside yet");
      return false;
    }
  }
}

/** For the log. A job may hold anything, and telling so must not fail. */
function describeId(event: QueuedEvent): string | null {
  const id: unknown = (event as QueuedEvent | null)?.id;
  return typeof id === "string" ? formatId("evt", id) : null;
}
