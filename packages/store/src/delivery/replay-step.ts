// One step of a replay of many events: the next events that its filter finds, for the targets that it names. The dry run
// goes the same way and changes nothing.

import { idTime } from "@sluice/shared/domain/ids";

import { loadSubscribers, type Subscriber } from "../configuration/targets.ts";
import type { Connection } from "../connection/database.ts";
import { DAY_MS, lacksPartition } from "../connection/partitions.ts";
import { eventSearch } from "../log/records.ts";
import type { ReplayState } from "../schema.ts";
import { isSubscribed } from "./fan-out.ts";
import { type OperationRecord, rangeOfOperation, type ReplayFilter, type StepWork } from "./operations.ts";
import { planPart } from "./replay-plan.ts";
import { keepBodies } from "./removed-bodies.ts";
import { previewReplay, type Replayed, replayTo, type RetryOf, type WantedDelivery } from "./replay.ts";
import type { Walk } from "./walk.ts";

/** The most deliveries of one part of a dry run. */
const PREVIEW_SIZE = 2_000;

export const walkEvents = (on: Connection, operation: OperationRecord): Walk => ({
  list: eventSearch(on, operation.filter),
  range: rangeOfOperation(operation),
});

export async function replayEvents(
  tx: Connection,
  operation: OperationRecord,
  maxDeliveries: number,
): Promise<StepWork> {
  const { replay } = operation;
  if (replay === null) throw new Error("The operation does not say what to replay");
  await keepBodies(tx);
  const targets = await loadOpenTargets(tx, replay);
  if (targets.length === 0) {
    const error = "Every target of this replay was disabled or deleted; enable one and replay again";
    return { done: 0, failed: 0, targetIds: [], next: undefined, error };
  }
  const plan = await planPart(tx, walkEvents(tx, operation), replay, targets, {
    afterId: operation.cursor ?? undefined,
    maxDeliveries,
  });
  const touched = new Set<string>();
  for (const ofDay of splitByDay(plan.wanted)) {
    for (const [targetId, result] of await replayDay(tx, ofDay, retryOfReplay(replay))) {
      plan.tallies.count(targetId, result);
      if (result === "created" || result === "retried") touched.add(targetId);
    }
  }
  const { events, failed, next, tallies } = plan;
  return { done: events - failed, failed, targetIds: [...touched], next, replay: tallies.state };
}

export interface ReplayPreview {
  /** The number of events that the filters of the log find. */
  total: number;
  /** The number of events on which the replay's expression failed. */
  failed: number;
  replay: ReplayState;
  /** False when the time was over before the end. */
  isComplete: boolean;
}

/** Counts what a replay would do now, oldest events first, and stops after about `withinMs`. Changes nothing. */
export async function previewEvents(
  on: Connection,
  filter: ReplayFilter,
  replay: ReplayState,
  { withinMs }: { withinMs: number },
): Promise<ReplayPreview> {
  const endsAt = performance.now() + withinMs;
  const walk = { list: eventSearch(on, filter), range: { ...filter, untilMs: filter.untilMs ?? Date.now() + 1 } };
  const targets = await loadOpenTargets(on, replay);
  const counted: ReplayPreview = { total: 0, failed: 0, replay, isComplete: false };
  let afterId: string | undefined;
  do {
    const plan = await planPart(on, walk, counted.replay, targets, { afterId, maxDeliveries: PREVIEW_SIZE });
    for (const each of await previewReplay(on, plan.wanted, retryOfReplay(replay)))
      plan.tallies.count(each.targetId, countedAs(each));
    counted.total += plan.events;
    counted.failed += plan.failed;
    counted.replay = plan.tallies.state;
    afterId = plan.next;
  } while (afterId !== undefined && performance.now() < endsAt);
  return { ...counted, isComplete: afterId === undefined };
}

/** Without `again`, what exists is left. What still waits is left in any case: it gets its attempt. */
const retryOfReplay = ({ again }: ReplayState): RetryOf => (again ? "finished" : "none");

const countedAs = ({ result }: Replayed) => (result === "left" ? "skipped" : result);

async function loadOpenTargets(on: Connection, { targets }: ReplayState): Promise<Subscriber[]> {
  const ids = targets.map(({ target }) => target);
  return (await loadSubscribers(on, ids)).filter(isSubscribed);
}

const splitByDay = (wanted: readonly WantedDelivery[]): WantedDelivery[][] => [
  ...Map.groupBy(wanted, ({ id }) => Math.floor(idTime(id) / DAY_MS)).values(),
];

/**
 * Replays the events of one day. Retention may drop the deliveries of the day meanwhile, before it drops the events:
 * these are then left out.
 * @returns the target of each delivery, and what became of it.
 */
async function replayDay(tx: Connection, wanted: readonly WantedDelivery[], retryOf: RetryOf) {
  try {
    // A savepoint: what came before it in this step stays.
    const replayed = await tx.orm.transaction((orm) => replayTo({ orm }, wanted, retryOf));
    return replayed.map((each) => [each.targetId, countedAs(each)] as const);
  } catch (error) {
    if (!lacksPartition(error)) throw error;
    return wanted.map(({ targetId }) => [targetId, "left_out"] as const);
  }
}
