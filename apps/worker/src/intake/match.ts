// What a list of requests becomes before it is stored: events that are read from their payloads, and a delivery for
// each target that they match. A fault of one event is found here, and names that event.

import type { QueuedEvent } from "@sluice/queue/jobs";
import type { FilterInput } from "@sluice/filter/compile";
import { readFilterInput } from "@sluice/filter/input";
import { isStorable, readEnvelope } from "@sluice/shared/domain/envelope";
import type { Target } from "@sluice/store/configuration/targets";
import { deliveryTo, fanOut, isSubscribed } from "@sluice/store/delivery/fan-out";
import type { NewDelivery, NewEvent } from "@sluice/store/delivery/store-events";

/** The events that cannot be stored, each with the reason. */
export type Faults = Map<QueuedEvent, unknown>;

export interface AtFault {
  kind: "at_fault";
  /** At least one. */
  faults: Faults;
}

/** An event, with what filters see of it: read once, and only when a target has a filter. */
export interface Incoming {
  queued: QueuedEvent;
  event: NewEvent;
  filterInput: () => FilterInput;
}

/** A delivery whose lane was not asked yet. */
export type MatchedDelivery = Omit<NewDelivery, "leased">;

export interface Matched {
  kind: "matched";
  /** The revision of the configuration that `deliveries` were matched with. */
  revision: number;
  events: NewEvent[];
  deliveries: MatchedDelivery[];
}

export function readEvents(queued: readonly QueuedEvent[]): { kind: "read"; incoming: Incoming[] } | AtFault {
  const { results, faults } = forEach(queued, (event) => event, toIncoming);
  return faults.size > 0 ? { kind: "at_fault", faults } : { kind: "read", incoming: results };
}

export function matchTargets(
  incoming: readonly Incoming[],
  { revision, value }: { revision: number; value: Map<string, Target> },
): Matched | AtFault {
  const subscribers = [...value.values()].filter(isSubscribed);
  const { results, faults } = forEach(
    incoming,
    ({ queued }) => queued,
    (one) => matchOne(one, subscribers),
  );
  if (faults.size > 0) return { kind: "at_fault", faults };
  return {
    kind: "matched",
    revision,
    events: results.map(({ event }) => event),
    deliveries: results.flatMap(({ deliveries }) => deliveries),
  };
}

/** Each event by itself: an event at fault MUST NOT take the other acknowledged events of its batch with it. */
function forEach<Item, Result>(
  items: readonly Item[],
  queuedOf: (item: Item) => QueuedEvent,
  work: (item: Item) => Result,
): { results: Result[]; faults: Faults } {
  const results: Result[] = [];
  const faults: Faults = new Map();
  for (const item of items) {
    try {
      results.push(work(item));
    } catch (error) {
      faults.set(queuedOf(item), error);
    }
  }
  return { results, faults };
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

/** The event with the filters that failed on it, and its deliveries. */
function matchOne({ event, filterInput }: Incoming, subscribers: readonly Target[]) {
  const { matched, filterErrors } = fanOut(event.type, filterInput, subscribers);
  return {
    event: filterErrors.length === 0 ? event : { ...event, filterErrors },
    deliveries: matched.map((target) => deliveryTo(target, event)),
  };
}
