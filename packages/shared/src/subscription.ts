// Which events a target subscribed to: exact names, `batch.*`, or `*`.

/** The grammar of one entry of `subscribed_events`. */
export const SUBSCRIPTION = /^(\*|[A-Za-z0-9_][A-Za-z0-9_.-]{0,125}\.\*|[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})$/;

/** An event without a type is matched by `*` alone. */
export function matchesSubscription(subscribedEvents: readonly string[], type: string | null): boolean {
  return subscribedEvents.some((entry) => {
    if (entry === "*") return true;
    if (type === null) return false;
    return entry.endsWith(".*") ? type.startsWith(entry.slice(0, -1)) : entry === type;
  });
}
