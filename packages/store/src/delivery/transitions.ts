// The changes of a delivery's row that several statements make: cancelled, or due again. SQL text only.

import { noteDeliveries } from "../journal/changes.ts";

/** The condition that no worker has the delivery in hand. A lease that ran out is nobody's. */
export const IS_FREE = "(leased_by IS NULL OR next_attempt_at <= now())";

/** What SET assigns to a delivery that is cancelled. */
export const SET_CANCELLED = "status = 'cancelled', next_attempt_at = NULL, leased_by = NULL, finished_at = now()";

/** What SET assigns to a delivery `d` that is due again, beside its new deadline. */
export const SET_DUE =
  "status = 'pending', next_attempt_at = now(), leased_by = NULL, next_trigger = 'manual', " +
  "backoff_start = d.attempt_count, finished_at = NULL";

/**
 * Parts of a WITH: `cancelled` cancels deliveries and returns their ids, and the journal gets them.
 * @param from an earlier part, which has locked the deliveries and returns their `id`.
 * @param set what SET assigns to them.
 */
export const cancelAll = (from: string, set = SET_CANCELLED) => `
  cancelled AS (
    UPDATE deliveries d SET ${set} FROM ${from} WHERE d.id = ${from}.id
    RETURNING d.id
  ),
  ${noteDeliveries("cancelled", "cancelled")}`;

/**
 * Parts of a WITH: the journal gets the deliveries of the part `due`, which returns the status that each had before.
 */
export const NOTE_DUE = `
  retried AS (SELECT id FROM due WHERE status = 'pending'),
  reopened AS (SELECT id FROM due WHERE status <> 'pending'),
  ${noteDeliveries("retried", "retried")},
  ${noteDeliveries("reopened", "reopened")}`;
