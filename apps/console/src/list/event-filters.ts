// The filters that events, deliveries and attempts have in common, and those of deliveries.

import { EVENT_TYPES } from "../data/event-types.ts";
import { useNames } from "../data/names.tsx";
import { type FilterOption, type ListFilter, stateOptions, TIME_FILTERS } from "./filter-bar.tsx";

const DELIVERY_STATES = ["pending", "succeeded", "exhausted", "cancelled"];

export function useNameOptions(kind: "sources" | "targets" | "keys"): FilterOption[] {
  return [...useNames(kind)]
    .map(([value, label]) => ({ value, label }))
    .toSorted((one, other) => one.label.localeCompare(other.label));
}

export function useEventFilters(): ListFilter[] {
  return [
    { name: "event_type", label: "Event type", placeholder: "batch.succeeded", proposals: EVENT_TYPES, isFirst: true },
    { name: "data_id", label: "Job", placeholder: "batches/…", isFirst: true },
    { name: "source", label: "Source", options: useNameOptions("sources"), isFirst: true },
    ...TIME_FILTERS,
    { name: "webhook_id", label: "webhook-id", placeholder: "msg_…" },
    { name: "label", label: "Labels", placeholder: "team:billing", isMany: true },
    { name: "user_metadata", label: "User metadata", placeholder: "key=value", isMany: true },
  ];
}

export function useDeliveryFilters(): ListFilter[] {
  return [
    { name: "status", label: "Status", options: stateOptions(DELIVERY_STATES), isFirst: true },
    { name: "target", label: "Target", options: useNameOptions("targets"), isFirst: true },
    ...useEventFilters(),
    { name: "status_code", label: "Answer", placeholder: "500 or 4xx", isMany: true },
    { name: "error", label: "Error has", placeholder: "ECONNREFUSED" },
    { name: "min_attempts", label: "Attempts, at least", placeholder: "3" },
    { name: "event", label: "Event", placeholder: "evt_…" },
  ];
}
