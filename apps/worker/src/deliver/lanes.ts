// The lanes of all targets in this worker, one for each target that it has heard of.

import type { Target } from "@sluice/store/configuration/targets";
import type { Logger } from "@sluice/shared/runtime/log";
import { pause } from "@sluice/shared/runtime/pause";
import type { Tracing } from "@sluice/tracing/tracing";

import type { Breakers } from "../breaker/breakers.ts";
import type { ThreadLoad } from "./thread-load.ts";
import type { AttemptMeter } from "./attempt-meter.ts";
import { BodyBudget } from "./body-budget.ts";
import { Claims } from "./claims.ts";
import { Lane } from "./lane.ts";
import type { LaneDependencies } from "./lane-dependencies.ts";
import type { Leases } from "./leases.ts";
import type { Recorder } from "./recorder.ts";
import type { RequestSlots } from "./request-slots.ts";
import type { Sender } from "./send.ts";
import type { LaneShares } from "./shares.ts";
import type { WakeUps } from "./wake-ups.ts";

export interface LanesDependencies {
  /** The target as it is now; undefined once it is deleted. */
  findTarget: (id: string) => Target | undefined;
  leases: Leases;
  breakers: Breakers;
  sender: Sender;
  recorder: Recorder;
  wakeUps: WakeUps;
  /** The requests in flight, which all lanes share. */
  slots: RequestSlots;
  /** Called when this worker itself could not send a request. */
  onOwnFault: (error: unknown) => void;
  thread: Pick<ThreadLoad, "measureBusy">;
  meter: AttemptMeter;
  shares: LaneShares;
  tracing: Tracing | undefined;
  log: Logger;
}

/** How often intake looks, while it waits for lanes, whether it still should. */
const CATCH_UP_SLICES = 10;
const CATCH_UP_SLICE_MS = 100;
/** Among more lanes than this there is always one that is behind, and the wait would be in vain. */
const CATCH_UP_LANES = 100;

export class Lanes {
  readonly #breakers: Breakers;
  readonly #thread: Pick<ThreadLoad, "measureBusy">;
  readonly #laneDependencies: LaneDependencies;
  readonly #lanes = new Map<string, Lane>();
  #isRefusing = false;

  constructor({ breakers, thread, leases, ...others }: LanesDependencies) {
    const bodies = new BodyBudget();
    this.#breakers = breakers;
    this.#thread = thread;
    this.#laneDependencies = { ...others, bodies, claims: new Claims(leases, bodies), random: Math.random };
  }

  forTarget(targetId: string): Lane {
    const known = this.#lanes.get(targetId);
    if (known !== undefined) return known;
    const lane = new Lane(targetId, this.#breakers.forTarget(targetId), this.#laneDependencies);
    if (this.#isRefusing) lane.refuse();
    this.#lanes.set(targetId, lane);
    return lane;
  }

  /**
   * Lets quick lanes catch up before more is stored for them, because what they have no room for must be claimed later.
   * It waits only while this worker's own thread is the bottleneck: what is stored later is then delivered no later. It
   * does not wait for a target that is slow or has much to come, and never for more than a second, because other events
   * of the same job wait too.
   */
  async catchUp(targetIds: readonly string[], signal: AbortSignal): Promise<void> {
    const distinct = new Set(targetIds);
    if (distinct.size > CATCH_UP_LANES) return;
    const lanes = [...distinct].map((id) => this.forTarget(id));
    for (let slice = 0; slice < CATCH_UP_SLICES && this.#thread.measureBusy(); slice++) {
      const waits = lanes.map((lane) => lane.catchUp()).filter((wait) => wait !== undefined);
      if (waits.length === 0) return;
      if ((await Promise.race([Promise.all(waits), pause(CATCH_UP_SLICE_MS, signal)])) === "aborted") return;
    }
  }

  /** This worker's shares of the limits have changed. */
  sharesChanged(): void {
    for (const lane of this.#lanes.values()) lane.sharesChanged();
  }

  /** At most so many targets at which more is in flight than this worker's share. */
  listOver(limit: number): string[] {
    return this.#list(limit, (lane) => lane.isOver);
  }

  /** At most so many targets that have more due than this worker may send. */
  listWaiting(limit: number): string[] {
    return this.#list(limit, (lane) => lane.passOnDue());
  }

  #list(limit: number, isListed: (lane: Lane) => boolean): string[] {
    const ids: string[] = [];
    for (const [id, lane] of this.#lanes) {
      if (ids.length >= limit) break;
      if (isListed(lane)) ids.push(id);
    }
    return ids;
  }

  /** How many requests are in flight, for each target that has a lane. */
  *countInFlight(): Iterable<[targetId: string, requests: number]> {
    for (const [id, lane] of this.#lanes) yield [id, lane.inFlight];
  }

  /** Forgets the targets that were deleted, once nothing of them is in hand. Call it now and then. */
  dropDeleted(): void {
    for (const [targetId, lane] of this.#lanes) {
      if (this.#laneDependencies.findTarget(targetId) !== undefined || !lane.isIdle) continue;
      lane.refuse();
      this.#lanes.delete(targetId);
      this.#breakers.forget(targetId);
    }
  }

  /** No lane takes anything more in hand. What is accepted from now on is handed back. */
  refuse(): void {
    this.#isRefusing = true;
    for (const lane of this.#lanes.values()) lane.refuse();
  }

  /** Resolves when every attempt has ended and is written. */
  async stop(): Promise<void> {
    this.refuse();
    await Promise.all([...this.#lanes.values()].map((lane) => lane.stop()));
  }
}
