// Decides what a part of a replay has to do: which of the next events it selects, and which targets get them. Changes
// nothing. A part is bounded in deliveries, in bytes and in time, because it is planned beside live traffic.

import { setTimeout } from "node:timers/promises";

import { compileFilter, type Filter, type FilterInput } from "@sluice/filter/compile";

import type { Subscriber } from "../configuration/targets.ts";
import type { Connection } from "../connection/database.ts";
import type { ReplayState } from "../schema.ts";
import { deliveryTo } from "./fan-out.ts";
import { RELAY_SOURCE_ID } from "./relay-sources.ts";
import { type ReplayMatch, ReplayTallies } from "./replay-tallies.ts";
import { chooseTargets, filterInputsOf, type WantedDelivery } from "./replay.ts";
import { type ReplayedEvent, readReplayedEvents } from "./replayed-events.ts";
import { readBatch, type Walk } from "./walk.ts";

/** How long one part evaluates filters: the transaction of a step should stay short. */
const MATCH_MS = 100;
/** After so long a time of evaluating filters comes as long a rest: the process has live traffic beside the replay. */
const TURN_MS = 5;

/** Which events a replay selects, and which targets get them. */
interface ReplayRule {
  /** The replay's own filter; null for every event. */
  expression: Filter | null;
  matchSubscription: boolean;
}

export interface PartPlan {
  wanted: WantedDelivery[];
  /** The number of events that this part goes through. */
  events: number;
  failed: number;
  tallies: ReplayTallies;
  /** The id after which the next part begins; undefined when this is the last. */
  next: string | undefined;
}

/** Finds the next events of a replay and the deliveries that it wants of them, which may exist. */
export async function planPart(
  on: Connection,
  walk: Walk,
  replay: ReplayState,
  targets: readonly Subscriber[],
  { afterId, maxDeliveries }: { afterId: string | undefined; maxDeliveries: number },
): Promise<PartPlan> {
  const rule = { expression: compileStored(replay.expression), matchSubscription: replay.match_subscription };
  const { expression, matchSubscription } = rule;
  const limit = Math.max(1, Math.floor(maxDeliveries / replay.targets.length));
  const batch = await readBatch(on, walk, afterId, limit);
  const hasFilters = expression !== null || (matchSubscription && targets.some(({ filter }) => filter !== null));
  const { events, complete } = await readReplayedEvents(on, batch.ids, hasFilters);
  const plan: PartPlan = {
    wanted: [],
    events: batch.ids.length,
    failed: 0,
    tallies: new ReplayTallies(replay),
    next: batch.next,
  };
  const matched = await matchEvents(on, events, targets, rule, plan, hasFilters ? MATCH_MS : Infinity);
  if (matched === events.length && complete) return plan;
  // The time or the room for bodies was over: the next part goes on after the last event of this one.
  const last = events[matched - 1]?.id ?? batch.ids[0];
  return { ...plan, events: batch.ids.indexOf(last ?? "") + 1, next: last };
}

/** Adds what the events give to a plan, until the time is over. @returns the number of events; at least one. */
async function matchEvents(
  on: Connection,
  events: readonly ReplayedEvent[],
  targets: readonly Subscriber[],
  rule: ReplayRule,
  plan: PartPlan,
  withinMs: number,
): Promise<number> {
  const inputOf = await filterInputsOf(on, events);
  const endsAt = performance.now() + withinMs;
  let turnEndsAt = performance.now() + TURN_MS;
  for (const [index, event] of events.entries()) {
    if (index > 0 && performance.now() > endsAt) return index;
    if (performance.now() > turnEndsAt) {
      await setTimeout(TURN_MS);
      turnEndsAt = performance.now() + TURN_MS;
    }
    const match: ReplayMatch =
      event.bodyRemovedAt !== null ? { kind: "body_removed" } : matchEvent(event, inputOf(event), targets, rule);
    plan.tallies.addMatch(event.id, match, targets);
    if (match.kind === "failed") plan.failed += 1;
    if (match.kind === "selected") plan.wanted.push(...match.matched.map((target) => deliveryTo(target, event)));
  }
  return events.length;
}

function matchEvent(
  event: { type: string | null; sourceId: string },
  input: () => FilterInput,
  targets: readonly Subscriber[],
  { expression, matchSubscription }: ReplayRule,
): ReplayMatch {
  // A test of a target is for that target alone.
  if (event.sourceId === RELAY_SOURCE_ID) return { kind: "not_selected" };
  const isSelected = expression === null || expression.matches(input());
  if (isSelected === false) return { kind: "not_selected" };
  if (isSelected !== true) return { kind: "failed", error: isSelected.error };
  return { kind: "selected", ...chooseTargets(event, input, targets, matchSubscription) };
}

function compileStored(expression: string | null): Filter | null {
  if (expression === null) return null;
  const compiled = compileFilter(expression);
  if ("filter" in compiled) return compiled.filter;
  throw new Error(`The filter of this replay cannot be read by this version of Sluice: ${compiled.fault}`);
}
