// Which events a target subscribed to: exact names, `batch.*`, or `*`.

/** The grammar of one entry of `subscribed_events`. */
export const SUBSCRIPTION = /^(\*|[A-Za-z0-9_][A-Za-z0-9_.-]{0,125}\.\*|[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})$/;

/** One event under two names: older documents of Gemini's say `batch.completed`. */
const ALIASES: ReadonlyMap<string, string> = new Map([
  ["batch.completed", "batch.succeeded"],
  ["batch.succeeded", "batch.completed"],
]);

/** The names of a type: its own first. An event keeps the one that it came with. */
export function namesOfType(type: string): string[] {
  const alias = ALIASES.get(type);
  return alias === undefined ? [type] : [type, alias];
}

/** An event without a type is matched by `*` alone. */
export function matchesSubscription(subscribedEvents: readonly string[], type: string | null): boolean {
  if (type === null) return subscribedEvents.includes("*");
  const alias = ALIASES.get(type);
  return subscribedEvents.some((entry) => {
    if (entry === "*") return true;
    return entry.endsWith(".*") ? type.startsWith(entry.slice(0, -1)) : entry === type || entry === alias;
  });
}
