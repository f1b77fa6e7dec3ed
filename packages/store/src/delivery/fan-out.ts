// Decides which targets an event goes to: those that subscribed to its type and whose filter matches it. Nothing else
// decides it, neither for events that arrive nor for events that are replayed.

import type { FilterInput } from "@sluice/filter/compile";
import { deliveryId } from "@sluice/shared/domain/ids";
import { matchesOperational, matchesSubscription } from "@sluice/shared/domain/subscription";

import { OPERATIONAL_SOURCE_ID, RELAY_SOURCE_ID } from "./relay-sources.ts";
import type { Subscriber } from "../configuration/targets.ts";
import type { FilterError } from "../schema.ts";
import type { NewDelivery } from "./store-events.ts";

/** The properties that a delivery copies from its event. */
type DeliveredEvent = Pick<NewDelivery, "sourceId" | "webhookId"> & { id: string; type: string | null };

/** A paused target's deliveries are stored and held; a disabled target is not subscribed. */
export const isSubscribed = ({ state }: Subscriber): boolean => state === "enabled" || state === "paused";

/**
 * @param filterInput called when the first filter needs it.
 * @param subscribers targets that {@link isSubscribed} accepts.
 * @returns the targets that match, and the filters that failed on the event and therefore did not match.
 */
export function fanOut<T extends Subscriber>(
  event: Pick<DeliveredEvent, "type" | "sourceId">,
  filterInput: () => FilterInput,
  subscribers: readonly T[],
): { matched: T[]; filterErrors: FilterError[] } {
  const matched: T[] = [];
  const filterErrors: FilterError[] = [];
  for (const target of subscribers) {
    if (!matchesEvent(target.subscribedEvents, event)) continue;
    const matches = target.filter === null || target.filter.matches(filterInput());
    if (matches === false) continue;
    if (matches === true) matched.push(target);
    else filterErrors.push({ target: target.id, error: matches.error });
  }
  return { matched, filterErrors };
}

function matchesEvent(
  subscribedEvents: readonly string[],
  { type, sourceId }: Pick<DeliveredEvent, "type" | "sourceId">,
): boolean {
  // A test of a target is for that target alone.
  if (sourceId === RELAY_SOURCE_ID) return false;
  return sourceId === OPERATIONAL_SOURCE_ID
    ? type !== null && matchesOperational(subscribedEvents, type)
    : matchesSubscription(subscribedEvents, type);
}

/** The one delivery of an event to a target: its id is made of the ids of both. */
export function deliveryTo(target: Subscriber, event: DeliveredEvent): Omit<NewDelivery, "leased"> {
  return {
    id: deliveryId(event.id, target.id),
    eventId: event.id,
    targetId: target.id,
    sourceId: event.sourceId,
    eventType: event.type,
    webhookId: event.webhookId,
    horizonMs: target.retryHorizonSeconds * 1000,
  };
}
