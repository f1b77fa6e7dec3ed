// What `sluice status` and `sluice doctor` read of a relay: how it is, and the targets that are not well.

import { ApiError } from "@sluice/client/api-error";
import type { Schemas, SluiceClient } from "@sluice/client/client";
import { readWatchedTargets, type TargetTrouble } from "@sluice/client/target-trouble";

import { asked } from "../relay/relay-api.ts";

export type SystemAnswer = Schemas["SystemState"];

export interface RelayState {
  system: SystemAnswer;
  /** Those that get nothing now, or only failures. Null while PostgreSQL is away, which alone knows them. */
  unwellTargets: UnwellTarget[] | null;
}

export interface UnwellTarget {
  id: string;
  name: string;
  state: Schemas["TargetState"];
  trouble: TargetTrouble;
  breaker: Schemas["BreakerState"];
  failing_since: string | null;
  /** Deliveries that are not finished. */
  waiting: number;
}

/** @throws SluiceError as {@link asked}. */
export async function readRelayState(client: SluiceClient): Promise<RelayState> {
  const [system, unwellTargets] = await Promise.all([asked(client.get("/v1/system")), readUnwellTargets(client)]);
  return { system, unwellTargets };
}

async function readUnwellTargets(client: SluiceClient): Promise<UnwellTarget[] | null> {
  try {
    const watched = await readWatchedTargets(client, Date.now());
    return watched.flatMap(({ target: { id, name, state, health }, trouble, waiting }) =>
      trouble === undefined
        ? []
        : [{ id, name, state, trouble, breaker: health.breaker, failing_since: health.failing_since, waiting }],
    );
  } catch (error) {
    // Failure policy: open. What the system says of itself matters more now, and comes all the same.
    if (error instanceof ApiError && error.code === "unavailable") return null;
    return asked(Promise.reject(error));
  }
}

/** The counts of each store together, as far as they are known. */
export const sumCounts = (counts: Record<string, number | null | undefined>): number =>
  Object.values(counts).reduce<number>((sum, count) => sum + (count ?? 0), 0);
