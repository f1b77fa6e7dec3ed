// The journal of what was written to the log, which the live tail reads and the figures are counted of. Every statement
// that stores events, records attempts or moves deliveries into or out of a final state MUST write it itself: what was
// committed is then in it, once, and what was not is not.

/** Of one row, so that a target with a million deliveries that is deleted makes no row of sixteen megabytes. */
const MAX_IDS = 500;

/** What becomes of a delivery. One that was `reopened` by a retry had been finished; one that was `retried` had not. */
export type DeliveryChange = "created" | "succeeded" | "exhausted" | "cancelled" | "retried" | "reopened";

/**
 * A part of a statement's WITH that writes what the statement did.
 * @param from the part before it that returns the `id` of each delivery.
 */
export function noteDeliveries(change: DeliveryChange, from: string): string {
  return `noted_${change} AS (
    INSERT INTO changes (${change}_ids)
    SELECT array_agg(id) FROM (SELECT id, (row_number() OVER () - 1) / ${MAX_IDS} AS part FROM ${from}) AS parts GROUP BY part
  )`;
}
