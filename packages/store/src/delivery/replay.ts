// Replays events to targets: makes the deliveries that are missing, and retries those that exist if that is wanted. The
// replay of one event and the replay of many go through here.

import { sql } from "drizzle-orm";

import type { FilterInput } from "@sluice/filter/compile";
import { type FilteredEvent, readFilterInput } from "@sluice/filter/input";

import { readSourceNames } from "../configuration/sources.ts";
import type { Subscriber } from "../configuration/targets.ts";
import type { Connection } from "../connection/database.ts";
import { noteDeliveries } from "../journal/changes.ts";
import { anyOf } from "../log/id-range.ts";
import { noteStrays } from "../log/stray-deliveries.ts";
import { deliveries, type FilterError } from "../schema.ts";
import { fanOut } from "./fan-out.ts";
import { OPERATIONAL_SOURCE, OPERATIONAL_SOURCE_ID } from "./relay-sources.ts";
import type { NewDelivery } from "./store-events.ts";
import * as transitions from "./transitions.ts";

/**
 * Which deliveries that exist already become due again: none of them, those that are finished, or also those that wait
 * for their next attempt. A delivery that a worker has in hand is left alone.
 */
export type RetryOf = "none" | "finished" | "free";

const IS_RETRIED: Record<RetryOf, string> = {
  none: "false",
  finished: `status <> 'pending'`,
  free: transitions.IS_FREE,
};

export type WantedDelivery = Omit<NewDelivery, "leased">;

export interface Replayed {
  deliveryId: string;
  targetId: string;
  /** `created`: the event had no delivery to this target. `retried`: it had one, which is due again. */
  result: "created" | "retried" | "left";
}

/**
 * Decides which of the targets a replay sends an event to.
 * @param input called when the first filter needs it.
 * @param matchSubscription false when the targets get the event whatever they subscribe to.
 */
export function chooseTargets(
  event: { type: string | null; sourceId: string },
  input: () => FilterInput,
  targets: readonly Subscriber[],
  matchSubscription: boolean,
): { matched: Subscriber[]; filterErrors: FilterError[] } {
  return matchSubscription ? fanOut(event, input, targets) : { matched: [...targets], filterErrors: [] };
}

/** @returns a function that reads what filters see of an event, once for all filters. */
export async function filterInputsOf(
  on: Connection,
  events: readonly { sourceId: string }[],
): Promise<(event: FilteredEvent & { sourceId: string }) => () => FilterInput> {
  const names = await readSourceNames(on, [...new Set(events.map(({ sourceId }) => sourceId))]);
  names.set(OPERATIONAL_SOURCE_ID, OPERATIONAL_SOURCE);
  return (event) => {
    let input: FilterInput | undefined;
    return () => (input ??= readFilterInput(event, names.get(event.sourceId)));
  };
}

/**
 * Makes deliveries, and makes those due again that exist and are to be retried. Each gets a new deadline, and its backoff
 * starts again. Locks no target: the sweep cancels what is made for a target that is deleted meanwhile, by the note of
 * the deletion (deleted-targets.ts).
 * @throws what PostgreSQL raises for a day that is past retention: see `lacksPartition`.
 */
export async function replayTo(
  tx: Connection,
  wanted: readonly WantedDelivery[],
  retryOf: RetryOf,
): Promise<Replayed[]> {
  if (wanted.length === 0) return [];
  const column = (name: keyof WantedDelivery, type: string) =>
    sql`${sql.param(wanted.map((delivery) => delivery[name]))}::${sql.raw(type)}[]`;
  const isWanted = anyOf(
    deliveries.id,
    wanted.map(({ id }) => id),
  );
  // SKIP LOCKED: a row that is locked is being claimed or recorded, so that a worker has it in hand. The statement
  // waits for nobody and cannot deadlock. ORDER BY: two replays of one event insert in the same order.
  const { rows } = await tx.orm.execute<{ id: string; is_new: boolean }>(sql`
    WITH wanted AS (
      SELECT * FROM unnest(${column("id", "uuid")}, ${column("eventId", "uuid")}, ${column("targetId", "uuid")},
        ${column("sourceId", "uuid")}, ${column("eventType", "text")}, ${column("webhookId", "text")},
        ${column("horizonMs", "float8")})
        AS t(id, event_id, target_id, source_id, event_type, webhook_id, horizon_ms)
    ),
    free AS (
      SELECT id, status FROM ${deliveries}
      WHERE ${isWanted} AND ${sql.raw(transitions.IS_FREE)} AND ${sql.raw(IS_RETRIED[retryOf])}
      FOR UPDATE SKIP LOCKED
    ),
    due AS (
      UPDATE deliveries d SET ${sql.raw(transitions.SET_DUE)}, deadline_at = now() + horizon_ms * interval '1 ms'
      FROM wanted, free WHERE d.id = free.id AND wanted.id = free.id
      RETURNING d.id, free.status
    ),
    created AS (
      INSERT INTO deliveries (id, event_id, target_id, source_id, event_type, webhook_id, status, next_attempt_at,
        next_trigger, deadline_at)
      SELECT id, event_id, target_id, source_id, event_type, webhook_id, 'pending', now(), 'manual',
        now() + horizon_ms * interval '1 ms'
      FROM wanted WHERE id NOT IN (SELECT id FROM ${deliveries} WHERE ${isWanted})
      ORDER BY id
      ON CONFLICT DO NOTHING
      RETURNING id
    ),
    ${sql.raw(transitions.NOTE_DUE)},
    ${sql.raw(noteStrays("created"))},
    ${sql.raw(noteDeliveries("created", "created"))}
    SELECT id, true AS is_new FROM created UNION ALL SELECT id, false FROM due`);
  return showResults(wanted, new Map(rows.map((row) => [row.id, row.is_new ? "created" : "retried"])));
}

/** What {@link replayTo} would do now. Changes nothing. */
export async function previewReplay(
  on: Connection,
  wanted: readonly WantedDelivery[],
  retryOf: RetryOf,
): Promise<Replayed[]> {
  if (wanted.length === 0) return [];
  const ids = wanted.map(({ id }) => id);
  const { rows } = await on.orm.execute<{ id: string; is_retried: boolean }>(sql`
    SELECT id, ${sql.raw(transitions.IS_FREE)} AND ${sql.raw(IS_RETRIED[retryOf])} AS is_retried
    FROM ${deliveries} WHERE ${anyOf(deliveries.id, ids)}`);
  const results = new Map<string, Replayed["result"]>(ids.map((id) => [id, "created"]));
  for (const row of rows) results.set(row.id, row.is_retried ? "retried" : "left");
  return showResults(wanted, results);
}

const showResults = (wanted: readonly WantedDelivery[], results: ReadonlyMap<string, Replayed["result"]>): Replayed[] =>
  wanted.map(({ id, targetId }) => ({ deliveryId: id, targetId, result: results.get(id) ?? "left" }));
