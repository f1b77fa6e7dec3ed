// The operational events that come of a look at the relay, and what must not lead to one.

import { OPERATIONAL_SOURCE_ID, RELAY_SOURCE_ID } from "../delivery/relay-sources.ts";

export type OperationalType =
  | "sluice.target.failing"
  | "sluice.target.disabled"
  | "sluice.target.recovered"
  | "sluice.deliveries.exhausted"
  | "sluice.event.set_aside"
  | "sluice.source.failing"
  | "sluice.relay.degraded"
  | "sluice.relay.recovered"
  | "sluice.secret.expiring";

/**
 * The sources of the relay's own events and of tests. MUST be left out wherever deliveries lead to an operational event: a
 * target that fails to take them would cause the next one, and so for ever.
 */
export const OWN_SOURCES: readonly string[] = [OPERATIONAL_SOURCE_ID, RELAY_SOURCE_ID];

/** SQL: an instant as events show it. A transaction of Drizzle gives instants as PostgreSQL writes them, in any time zone. */
export const inUtc = (instant: string) => `to_char(${instant} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

/** The subject of what concerns the whole relay, and the `id` in the event. */
export const RELAY = "relay";
