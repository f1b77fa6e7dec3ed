// Which targets need somebody. The console and the command line ask here, so that both call the same targets well. A breaker and
// `failing_since` tell of requests that the relay sends; of a target that pulls, what it reports and when it pulled tell it.

import type { Schemas, SluiceClient } from "./client.ts";

type TargetShown = Schemas["Target"];

/**
 * not_pulled: deliveries wait, and nobody has pulled for a while. reports_failures: the service pulls, and every report of the
 * last hour was a failure.
 */
export type TargetTrouble =
  | "secret_lost"
  | "paused"
  | "disabled"
  | "breaker_open"
  | "failing"
  | "reports_failures"
  | "not_pulled";

export interface WatchedTarget {
  target: TargetShown;
  /** Undefined while the target is well. */
  trouble: TargetTrouble | undefined;
  /** Deliveries that are not finished. */
  waiting: number;
}

interface PullFigures {
  /** When the oldest delivery that waits was made; undefined when none waits. */
  oldestWaitingAt: string | undefined;
  /** Attempts of the last hour. */
  succeeded: number;
  failed: number;
}

/** A service that works in batches every few minutes is well. */
const NOT_PULLED_MS = 15 * 60_000;
const HOUR_MS = 3_600_000;

/** @param nowMs by the relay's clock, as far as it is known. */
export async function readWatchedTargets(
  client: Pick<SluiceClient, "get" | "list">,
  nowMs: number,
): Promise<WatchedTarget[]> {
  const since = new Date(nowMs - HOUR_MS).toISOString();
  const query = { group_by: "target" as const, interval: "hour" as const, since };
  const { data, now } = await client.get("/v1/stats", { params: { query } });
  const waiting = new Map(now.waiting.map((one) => [one.target, one]));
  const watched: WatchedTarget[] = [];
  for await (const target of client.list("/v1/targets")) {
    const attempts = data.filter(({ group }) => group === target.id).map((row) => row.attempts);
    const figures = {
      oldestWaitingAt: waiting.get(target.id)?.oldest_created_at,
      succeeded: attempts.reduce((sum, one) => sum + one.succeeded, 0),
      failed: attempts.reduce((sum, one) => sum + one.failed, 0),
    };
    watched.push({
      target,
      trouble: findTrouble(target, figures, nowMs),
      waiting: waiting.get(target.id)?.count ?? 0,
    });
  }
  return watched;
}

function findTrouble(target: TargetShown, figures: PullFigures, nowMs: number): TargetTrouble | undefined {
  const { state, health, lost_secrets: lost, kind } = target;
  if (lost.length > 0) return "secret_lost";
  if (state !== "enabled") return state === "paused" ? "paused" : "disabled";
  if (health.breaker !== "closed") return "breaker_open";
  if (health.failing_since !== null) return "failing";
  return kind === "pull" ? findPullTrouble(target, figures, nowMs) : undefined;
}

function findPullTrouble(
  { last_pulled_at: pulledAt }: TargetShown,
  { oldestWaitingAt, succeeded, failed }: PullFigures,
  nowMs: number,
): TargetTrouble | undefined {
  const isOld = (at: string) => nowMs - Date.parse(at) > NOT_PULLED_MS;
  if (oldestWaitingAt !== undefined && isOld(oldestWaitingAt) && (pulledAt === null || isOld(pulledAt)))
    return "not_pulled";
  return failed > 0 && succeeded === 0 ? "reports_failures" : undefined;
}
