// Decides which events a target is subscribed to: exact types, all types below a prefix (`batch.*`), or all (`*`). The
// relay's own events (`sluice.source.drift`) are for those alone that name them, because `*` is meant for the senders'.

/** The grammar of one entry of `subscribed_events`. */
export const SUBSCRIPTION = /^(\*|[A-Za-z0-9_][A-Za-z0-9_.-]{0,125}\.\*|[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})$/;

/** What the types of the relay's own events begin with, and the subscriptions to them. */
export const RELAY_TYPES = "sluice.";

/** Two names for the same event: older documents of Gemini say `batch.completed`. */
const ALIASES: ReadonlyMap<string, string> = new Map([
  ["batch.completed", "batch.succeeded"],
  ["batch.succeeded", "batch.completed"],
]);

/** The names of a type, its own name first. An event keeps the name with which it arrived. */
export function namesOfType(type: string): string[] {
  const alias = ALIASES.get(type);
  return alias === undefined ? [type] : [type, alias];
}

/**
 * Whether a target with these subscriptions gets an event of this type that a sender made. Only `*` matches an event without
 * a type. A sender that names its event as the relay does reaches nobody who waits for the relay's, also not by `*`.
 */
export function matchesSubscription(subscribedEvents: readonly string[], type: string | null): boolean {
  if (type === null) return subscribedEvents.includes("*");
  if (type.startsWith(RELAY_TYPES) && subscribedEvents.some((entry) => entry.startsWith(RELAY_TYPES))) return false;
  const alias = ALIASES.get(type);
  return subscribedEvents.some((entry) => {
    if (entry.startsWith(RELAY_TYPES)) return false;
    if (entry === "*") return true;
    return entry.endsWith(".*") ? type.startsWith(entry.slice(0, -1)) : entry === type || entry === alias;
  });
}

/** Whether a target with these subscriptions gets an event of this type that the relay made. */
export function matchesOperational(subscribedEvents: readonly string[], type: string): boolean {
  return subscribedEvents.some(
    (entry) =>
      entry.startsWith(RELAY_TYPES) && (entry.endsWith(".*") ? type.startsWith(entry.slice(0, -1)) : entry === type),
  );
}
