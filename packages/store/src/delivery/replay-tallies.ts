// Counts what becomes of each event for each target of a replay. Pure.

import type { Subscriber } from "../configuration/targets.ts";
import type { FilterError, ReplayState, ReplayTally } from "../schema.ts";

/** What a replay does with an event. */
export type ReplayMatch =
  | { kind: "selected"; matched: Subscriber[]; filterErrors: FilterError[] }
  | { kind: "not_selected" }
  /** There is nothing left that a filter could judge or a target could get. */
  | { kind: "body_removed" }
  /** The replay's own filter failed on the event. */
  | { kind: "failed"; error: string };

type TallyCount = Exclude<keyof ReplayTally, "target">;

/** A replay without any count. @param targetIds no id may be twice. */
export function newReplay(
  request: Pick<ReplayState, "again" | "match_subscription" | "expression">,
  targetIds: readonly string[],
): ReplayState {
  const none = { created: 0, retried: 0, skipped: 0, not_matched: 0, filter_errors: 0, left_out: 0 };
  const targets = targetIds.map((target) => ({ target, ...none }));
  return { ...request, matched: 0, first_filter_error: null, targets };
}

export class ReplayTallies {
  /** The replay with everything that was counted. */
  readonly state: ReplayState;
  readonly #byTarget: Map<string, ReplayTally>;

  /** @param state what was counted before; it is left as it is. */
  constructor(state: ReplayState) {
    this.state = { ...state, targets: state.targets.map((tally) => ({ ...tally })) };
    this.#byTarget = new Map(this.state.targets.map((tally) => [tally.target, tally]));
  }

  count(targetId: string, outcome: TallyCount): void {
    const tally = this.#byTarget.get(targetId);
    if (tally !== undefined) tally[outcome] += 1;
  }

  /**
   * Counts an event for the targets that do not get it. What becomes of the deliveries to the others is counted later.
   * @param asked the targets that the event was matched with; any other target of the replay is left out.
   */
  addMatch(eventId: string, match: ReplayMatch, asked: readonly Subscriber[]): void {
    if (match.kind === "not_selected") return;
    if (match.kind === "failed") return this.#noteError(eventId, null, match.error);
    this.state.matched += 1;
    if (match.kind === "body_removed") {
      for (const { target } of this.state.targets) this.count(target, "left_out");
      return;
    }
    const open = new Set(asked.map(({ id }) => id));
    const matched = new Set(match.matched.map(({ id }) => id));
    const errors = new Map(match.filterErrors.map(({ target, error }) => [target, error]));
    for (const { target } of this.state.targets) {
      const error = errors.get(target);
      if (error !== undefined) this.#noteError(eventId, target, error);
      if (!open.has(target)) this.count(target, "left_out");
      else if (error !== undefined) this.count(target, "filter_errors");
      else if (!matched.has(target)) this.count(target, "not_matched");
    }
  }

  #noteError(event: string, target: string | null, error: string): void {
    this.state.first_filter_error ??= { event, target, error };
  }
}
