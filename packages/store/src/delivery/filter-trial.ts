// Tries a subscription and a filter on the newest events, before a target has them. It decides as fan-out does, and changes
// nothing.

import { setTimeout } from "node:timers/promises";

import type { Filter, FilterInput } from "@sluice/filter/compile";

import type { Database } from "../connection/database.ts";
import { countFitting, type EventRecord, listEvents, readBodies } from "../log/records.ts";
import { fanOut } from "./fan-out.ts";
import { filterInputsOf } from "./replay.ts";

/** The total size of the bodies of one trial. */
const MAX_BYTES = 4 * 1024 * 1024;
/** How long one trial evaluates a filter. */
const TRIAL_MS = 1_000;
/** After so long a time of evaluating comes as long a rest: the gateway has live traffic beside the trial. */
const TURN_MS = 5;

export type TrialOutcome =
  | { result: "matched" | "not_matched" | "not_subscribed" | "body_removed"; error: null }
  | { result: "failed"; error: string };

export interface FilterTrialRule {
  /** Null lets every event pass. */
  filter: Filter | null;
  subscribedEvents: string[];
}

export type TriedEvent = EventRecord & TrialOutcome;

/** @returns the newest events, newest first: as many as their bodies and the time allow, and at least one if there is any. */
export async function tryFilter(db: Database, rule: FilterTrialRule, limit: number): Promise<TriedEvent[]> {
  const { rows } = await listEvents(db, {}, { limit });
  const fitting = rule.filter === null ? rows : rows.slice(0, countFitting(rows, MAX_BYTES));
  const ids = rule.filter === null ? [] : fitting.map(({ id }) => id);
  const bodies = await readBodies(db, ids);
  const inputOf = await filterInputsOf(db, fitting);
  const tried: TriedEvent[] = [];
  const startedAt = performance.now();
  let turnEndsAt = startedAt + TURN_MS;
  for (const event of fitting) {
    if (performance.now() > turnEndsAt) {
      if (performance.now() - startedAt > TRIAL_MS) break;
      await setTimeout(TURN_MS);
      turnEndsAt = performance.now() + TURN_MS;
    }
    const body = bodies.get(event.id) ?? Buffer.alloc(0);
    tried.push({ ...event, ...judge(event, rule, inputOf({ ...event, body })) });
  }
  return tried;
}

function judge(
  event: EventRecord,
  { filter, subscribedEvents }: FilterTrialRule,
  input: () => FilterInput,
): TrialOutcome {
  const subscriber = { id: "", state: "enabled" as const, subscribedEvents, retryHorizonSeconds: 0 };
  const { matched } = fanOut(event, input, [{ ...subscriber, filter: null }]);
  if (matched.length === 0) return { result: "not_subscribed", error: null };
  if (filter === null) return { result: "matched", error: null };
  if (event.bodyRemovedAt !== null) return { result: "body_removed", error: null };
  const matches = filter.matches(input());
  if (typeof matches === "boolean") return { result: matches ? "matched" : "not_matched", error: null };
  return { result: "failed", error: matches.error };
}
