// Intake: a job of verified requests becomes events and deliveries, each exactly once. A delivery for which a lane has
// room is stored with a lease and handed to that lane at once, with the body that is in memory. The other deliveries
// are due, and a lane claims them.

import type { JobData, QueuedEvent } from "@sluice/queue/jobs";
import { Interrupted, type Producer } from "@sluice/queue/queue";
import type { Logger } from "@sluice/shared/runtime/log";
import { pause } from "@sluice/shared/runtime/pause";
import { sparing } from "@sluice/shared/runtime/sparing-log";
import type { TargetMap } from "@sluice/store/configuration/targets-part";
import { holdRevision } from "@sluice/store/connection/configuration-revision";
import type { Connection, Database } from "@sluice/store/connection/database";
import { isDataFault } from "@sluice/store/connection/postgres-errors";
import { withPartitions } from "@sluice/store/connection/partitions";
import type { ConfigurationCopy } from "@sluice/store/configuration/configuration-copy";
import type { ClaimedDelivery } from "@sluice/store/delivery/deliveries";
import type { Tracing } from "@sluice/tracing/tracing";
import { type StoreResult, type NewEvent, storeEvents } from "@sluice/store/delivery/store-events";

import type { Lanes } from "../deliver/lanes.ts";
import type { Leases } from "../deliver/leases.ts";
import type { Reservation } from "../deliver/reservation.ts";
import {
  type AtFault,
  type Faults,
  type Incoming,
  type Matched,
  type MatchedDelivery,
  type MatchedPart,
  matchInParts,
  matchTargets,
  readEvents,
} from "./match.ts";
import { recordLate, recordSpent } from "./refused-late.ts";
import { setAside } from "./set-aside.ts";
import { traceIntake } from "./trace-intake.ts";

const RETRY_MS = 500;
/**
 * How often a statement may find that targets changed before the next one keeps them from changing. Each time costs a
 * few milliseconds, while to hold the targets makes those wait who change them.
 */
const MAX_OUTDATED = 3;
/** With so many deliveries, a statement takes no further event. */
const ENOUGH_DELIVERIES = 5_000;

export interface IntakeDependencies {
  db: Database;
  targets: ConfigurationCopy<TargetMap>;
  lanes: Lanes;
  leases: Leases;
  producer: Producer;
  /** Whether the ends of jobs are entered. */
  jobSources: { readonly mayExist: boolean };
  /** Undefined where nothing is traced. */
  tracing: Tracing | undefined;
  /** Aborts when the worker stops. A job that waits for PostgreSQL then goes back to the queue. */
  stopping: AbortSignal;
  log: Logger;
}

/** What came of a list of events: all of them are stored, or not all because some are at fault. */
export type StoreOutcome = { kind: "stored" } | AtFault;

/** A delivery that is about to be stored, with the room that its lane has for it; undefined when the lane has none. */
interface Placed {
  delivery: MatchedDelivery;
  reservation: Reservation | undefined;
}

/**
 * Takes in one job: sets the events at fault aside, and stores all others.
 * @throws the fault, when the job has one event only. Interrupted when the worker stops before the events are stored.
 */
export async function takeIn({ events }: JobData["intake"], dependencies: IntakeDependencies): Promise<void> {
  const faults: Faults = new Map();
  for (;;) {
    const good = events.filter((event) => !faults.has(event));
    const outcome = await storeAll(good, dependencies);
    if (outcome.kind === "stored") break;
    // Faults are found step by step, in reading, in matching and by PostgreSQL. So the rest may have another fault.
    for (const [event, cause] of outcome.faults) faults.set(event, cause);
  }
  await setAside(events, faults, dependencies);
}

/**
 * Stores all of the events. When one of them is at fault, none of them is stored, or only the first ones: they count as
 * duplicates when they are stored again. Waits for PostgreSQL for as long as it takes.
 * @throws Interrupted when the worker stops before the events are stored.
 */
export async function storeAll(
  queued: readonly QueuedEvent[],
  dependencies: IntakeDependencies,
): Promise<StoreOutcome> {
  if (queued.length === 0) return { kind: "stored" };
  const read = readEvents(queued);
  if (read.kind === "at_fault") return read;
  for (const part of matchInParts(read.incoming, dependencies.targets, ENOUGH_DELIVERIES)) {
    const outcome = part.kind === "part" ? await storePart(part, dependencies) : part;
    if (outcome.kind === "at_fault") return outcome;
  }
  return { kind: "stored" };
}

/** Stores the events of a part, or none of them, in one statement. */
async function storePart(
  { incoming, matched: firstMatched }: MatchedPart,
  dependencies: IntakeDependencies,
): Promise<StoreOutcome> {
  const { targets, lanes, stopping, tracing, log } = dependencies;
  const startMs = Date.now();
  const queued = incoming.map((one) => one.queued);
  let matched = firstMatched;
  const targetIds = matched.matches.flatMap(({ deliveries }) => deliveries.map(({ targetId }) => targetId));
  await lanes.catchUp(targetIds, stopping);

  let mayBeStored = false;
  for (let outdated = 0; ;) {
    const tried = await tryToStore(incoming, matched, dependencies, { isHeld: outdated >= MAX_OUTDATED });
    const { placed, result } = tried;
    ({ matched } = tried);
    switch (result.kind) {
      case "stored": {
        const { freshEventIds, spentEventIds, lateEventIds } = result;
        const events = matched.matches.map(({ event }) => event);
        handOver(events, placed, freshEventIds, lanes);
        if (tracing !== undefined) {
          const deliveries = placed.map(({ delivery }) => delivery);
          traceIntake(tracing, { events, fresh: freshEventIds, deliveries, startMs });
        }
        if (mayBeStored) await freeOwn(placed, freshEventIds, dependencies);
        await recordSpent(
          events.filter(({ id }) => spentEventIds.has(id)),
          dependencies,
        );
        await recordLate(
          events.filter(({ id }) => lateEventIds.has(id)),
          dependencies,
        );
        const duplicates = events.length - freshEventIds.size - spentEventIds.size;
        if (duplicates > 0) log.info({ events: events.length, duplicates }, "duplicates");
        return { kind: "stored" };
      }
      case "at_fault":
        cancelReservations(placed);
        return result;
      case "outdated":
        cancelReservations(placed);
        outdated += 1;
        await targets.refresh().catch((error: unknown) => waitForStore(error, queued.length, dependencies));
        break;
      case "data_fault":
        cancelReservations(placed);
        // One statement stores all of them, so each may be the one at fault.
        return { kind: "at_fault", faults: new Map(queued.map((event) => [event, result.error])) };
      case "unavailable":
        cancelReservations(placed);
        // PostgreSQL may have committed, and only its answer was lost.
        mayBeStored = true;
        await waitForStore(result.error, queued.length, dependencies);
    }
  }
}

/** One try to store events: what it was made with, and what came of it. */
interface StoreTry {
  matched: Matched;
  placed: readonly Placed[];
  result: StoreResult | AtFault | { kind: "data_fault" | "unavailable"; error: unknown };
}

/**
 * Matches the events with the targets as they are now, and stores them.
 * @param before the events as they were matched the last time.
 * @param isHeld whether to keep the targets from changing meanwhile. Otherwise the statement compares their revision,
 * which changes all the time while a script changes one target after the other.
 */
async function tryToStore(
  incoming: readonly Incoming[],
  before: Matched,
  { db, targets, lanes, leases, jobSources }: IntakeDependencies,
  { isHeld }: { isHeld: boolean },
): Promise<StoreTry> {
  let matched = before;
  let placed: Placed[] = [];
  const store = async (on: Database | Connection): Promise<StoreTry["result"]> => {
    const found = matchTargets(incoming, targets.current, matched);
    if (found.kind === "at_fault") return found;
    matched = found;
    // The second time, a partition was missing.
    cancelReservations(placed);
    placed = reserveRoom(
      matched.matches.flatMap(({ deliveries }) => deliveries),
      lanes,
    );
    const events = matched.matches.map(({ event }) => event);
    const deliveries = placed.map(({ delivery, reservation }) => ({ ...delivery, leased: reservation !== undefined }));
    return storeEvents(on, matched.targets.revision, events, deliveries, leases.lease, {
      entersEnds: jobSources.mayExist,
    });
  };
  const storeHeld = () =>
    db.orm.transaction(async (orm) => {
      await holdRevision({ orm }, "targets");
      await targets.refreshOn({ orm });
      return store({ orm });
    });
  const ids = incoming.map(({ event }) => event.id);
  try {
    const result = await withPartitions(db, ids, () => (isHeld ? storeHeld() : store(db)));
    return { matched, placed, result };
  } catch (error) {
    return { matched, placed, result: { kind: isDataFault(error) ? "data_fault" : "unavailable", error } };
  }
}

function reserveRoom(deliveries: readonly MatchedDelivery[], lanes: Lanes): Placed[] {
  return deliveries.map((delivery) => ({ delivery, reservation: lanes.forTarget(delivery.targetId).reserve() }));
}

function cancelReservations(placed: readonly Placed[]): void {
  for (const { reservation } of placed) reservation?.cancel();
}

/** @throws Interrupted when the worker stops. */
async function waitForStore(error: unknown, events: number, { stopping, log }: IntakeDependencies): Promise<void> {
  sparing(log).warn({ err: error, events }, "events not stored yet; trying again");
  if ((await pause(RETRY_MS, stopping)) === "aborted") throw new Interrupted();
}

/** Gives the new deliveries to their lanes. The room that was reserved for duplicates is free again. */
function handOver(events: readonly NewEvent[], placed: readonly Placed[], fresh: Set<string>, lanes: Lanes): void {
  const byId = new Map(events.map((event) => [event.id, event]));
  for (const { delivery, reservation } of placed) {
    const event = fresh.has(delivery.eventId) ? byId.get(delivery.eventId) : undefined;
    if (event === undefined) reservation?.cancel();
    else if (reservation === undefined) lanes.forTarget(delivery.targetId).wake(1);
    else reservation.accept(toClaimed(event, delivery));
  }
}

function toClaimed(event: NewEvent, delivery: MatchedDelivery): ClaimedDelivery {
  return {
    id: delivery.id,
    eventId: event.id,
    targetId: delivery.targetId,
    eventType: delivery.eventType,
    webhookId: event.webhookId,
    contentType: event.contentType,
    contentEncoding: event.contentEncoding,
    bodyUnbound: event.bodyUnbound,
    // What comes through the queue has a trace of its own.
    traceContext: null,
    body: event.body,
    attemptCount: 0,
    failureCount: 0,
    trigger: "initial",
    deadlineInMs: delivery.horizonMs,
  };
}

/**
 * An earlier try of this job may have stored deliveries, with a lease of this worker, that no lane has. Makes them due
 * at once, instead of when the lease runs out.
 */
async function freeOwn(placed: readonly Placed[], fresh: Set<string>, dependencies: IntakeDependencies): Promise<void> {
  const { lanes, leases, log } = dependencies;
  // A lane can have a delivery of a duplicate: by another copy of the job, which this worker took in too.
  const own = placed
    .map(({ delivery }) => delivery)
    .filter(({ id, eventId }) => !fresh.has(eventId) && !leases.isHeld(id));
  // Failure policy: open. When PostgreSQL is away again, the leases run out.
  await leases
    .handBack(own.map(({ id }) => id))
    .catch((error: unknown) => sparing(log).warn({ err: error }, "not handed back; their leases run out"));
  for (const targetId of new Set(own.map((delivery) => delivery.targetId))) lanes.forTarget(targetId).wake();
}
