// What a list of requests becomes before it is stored: events that are read from their payloads, and a delivery for
// each target that they match. A fault of one event is found here, and names that event.

import type { QueuedEvent } from "@sluice/queue/jobs";
import type { FilterInput } from "@sluice/filter/compile";
import { readFilterInput } from "@sluice/filter/input";
import { isStorable, readEnvelope } from "@sluice/shared/domain/envelope";
import type { LoadedCopy } from "@sluice/store/configuration/configuration-copy";
import type { Target } from "@sluice/store/configuration/targets";
import type { TargetMap } from "@sluice/store/configuration/targets-part";
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

/** An event with the filters that failed on it, and its deliveries. */
interface MatchedEvent {
  event: NewEvent;
  deliveries: MatchedDelivery[];
}

export interface Matched {
  kind: "matched";
  /** The targets that the events were matched with. */
  targets: LoadedCopy<TargetMap>;
  matches: MatchedEvent[];
}

export function readEvents(queued: readonly QueuedEvent[]): { kind: "read"; incoming: Incoming[] } | AtFault {
  const { results, faults } = forEach(queued, (event) => event, toIncoming);
  return faults.size > 0 ? { kind: "at_fault", faults } : { kind: "read", incoming: results };
}

/**
 * Finds the deliveries of events.
 * @param earlier the same events, matched with an earlier copy of the targets: only targets that changed since are
 * matched again, because a batch has up to millions of pairs of an event and a target.
 */
export function matchTargets(
  incoming: readonly Incoming[],
  targets: LoadedCopy<TargetMap>,
  earlier?: Matched,
): Matched | AtFault {
  if (earlier?.targets === targets) return earlier;
  const isUnchanged = (id: string) => earlier !== undefined && targets.value.get(id) === earlier.targets.value.get(id);
  const subscribers = [...targets.value.values()].filter((target) => isSubscribed(target) && !isUnchanged(target.id));
  const { results, faults } = forEach(
    incoming.map((one, index) => ({ ...one, before: earlier?.matches[index] })),
    ({ queued }) => queued,
    (one) => matchOne(one, subscribers, isUnchanged),
  );
  if (faults.size > 0) return { kind: "at_fault", faults };
  return { kind: "matched", targets, matches: results };
}

/** Events that are stored together, with what they matched. */
export interface MatchedPart {
  kind: "part";
  incoming: Incoming[];
  matched: Matched;
}

/**
 * Matches events in their order, and gives a part as soon as it has so many deliveries, or more with its last event.
 * The next part is matched when it is asked for: with thousands of targets, all deliveries of a group would be
 * millions.
 */
export function* matchInParts(
  incoming: readonly Incoming[],
  targets: { readonly current: LoadedCopy<TargetMap> },
  enough: number,
): Generator<MatchedPart | AtFault> {
  let first = 0;
  while (first < incoming.length) {
    const { current } = targets;
    const subscribers = [...current.value.values()].filter(isSubscribed);
    const part: MatchedPart = {
      kind: "part",
      incoming: [],
      matched: { kind: "matched", targets: current, matches: [] },
    };
    const faults: Faults = new Map();
    let deliveries = 0;
    for (const one of incoming.slice(first)) {
      if (deliveries >= enough) break;
      first += 1;
      part.incoming.push(one);
      try {
        const matched = matchOne(one, subscribers);
        part.matched.matches.push(matched);
        deliveries += matched.deliveries.length;
      } catch (error) {
        faults.set(one.queued, error);
      }
    }
    yield faults.size > 0 ? { kind: "at_fault", faults } : part;
  }
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
  const { contentEncoding = null, labels = null, userMetadata = null, bodyUnbound = false, token = null } = queued;
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
    contentEncoding,
    body,
    labels,
    filterErrors: null,
    bodyUnbound,
    dataId: envelope.dataId,
    token,
  };
  let input: FilterInput | undefined;
  return { queued, event, filterInput: () => (input ??= readFilterInput(event, queued.sourceName)) };
}

/**
 * @param before the same event, matched with an earlier copy of the targets.
 * @param isKept whether a target is as it was then; such a target is not among the subscribers.
 */
function matchOne(
  { event, filterInput, before }: Incoming & { before?: MatchedEvent | undefined },
  subscribers: readonly Target[],
  isKept: (targetId: string) => boolean = () => false,
): MatchedEvent {
  const { matched, filterErrors } = fanOut(event, filterInput, subscribers);
  const kept = before?.deliveries.filter(({ targetId }) => isKept(targetId)) ?? [];
  const errors = [...(before?.event.filterErrors ?? []).filter(({ target }) => isKept(target)), ...filterErrors];
  return {
    event: errors.length === 0 ? event : { ...event, filterErrors: errors },
    deliveries: [...kept, ...matched.map((target) => deliveryTo(target, event))],
  };
}
