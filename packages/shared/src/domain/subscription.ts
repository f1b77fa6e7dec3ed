// Decides which events a target is subscribed to: exact types, all types below a prefix (`batch.*`), or all (`*`).

/** The grammar of one entry of `subscribed_events`. */
export const SUBSCRIPTION = /^(\*|[A-Za-z0-9_][A-Za-z0-9_.-]{0,125}\.\*|[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})$/;

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

/** Whether a target with these subscriptions gets an event of this type. Only `*` matches an event without a type. */
export function matchesSubscription(subscribedEvents: readonly string[], type: string | null): boolean {
  if (type === null) return subscribedEvents.includes("*");
  const alias = ALIASES.get(type);
  return subscribedEvents.some((entry) => {
    if (entry === "*") return true;
    return entry.endsWith(".*") ? type.startsWith(entry.slice(0, -1)) : entry === type || entry === alias;
  });
}
