// The lanes of all targets, and what they share: the connections, the recorder, the leases and the wake-ups.

import { formatId } from "@sluice/shared/domain/ids";
import type { Logger } from "@sluice/shared/runtime/log";
import type { Producer } from "@sluice/queue/queue";
import { sparing } from "@sluice/shared/runtime/sparing-log";
import type { Database } from "@sluice/store/connection/database";
import { claimDue, claimOne, handBack } from "@sluice/store/delivery/deliveries";
import type { Target } from "@sluice/store/configuration/targets";
import type { Dispatcher } from "undici";

import { BodyBudget } from "./body-budget.ts";
import type { Breakers } from "../breaker/breakers.ts";
import { Lane } from "./lane.ts";
import type { Leases } from "./leases.ts";
import { pause } from "@sluice/shared/runtime/pause";
import type { Recorder } from "./recorder.ts";
import { sendDelivery } from "./send.ts";
import type { ThreadLoad } from "../intake/thread-load.ts";

export interface LanesDependencies {
  db: Database;
  findTarget: (id: string) => Target | undefined;
  leases: Leases;
  breakers: Breakers;
  recorder: Recorder;
  producer: Producer;
  dispatcher: Dispatcher;
  thread: Pick<ThreadLoad, "isBusy">;
  log: Logger;
}

/**
 * One wake-up for all deliveries of a target that are due in the same stretch of time, so that a million waiting
 * deliveries are some two hundred jobs. The farther away, the longer the stretch; the sweep is never later.
 */
const STRETCHES: { fromMs: number; widthMs: number }[] = [
  { fromMs: 600_000, widthMs: 60_000 },
  { fromMs: 60_000, widthMs: 10_000 },
  { fromMs: 10_000, widthMs: 1_000 },
  { fromMs: 0, widthMs: 250 },
];

/** When to wake up for a delivery that is due in `inMs`: the end of its stretch, in milliseconds since 1970. */
export function wakeUpAt(nowMs: number, inMs: number): number {
  const { widthMs } = STRETCHES.find((stretch) => inMs >= stretch.fromMs) ?? { widthMs: 250 };
  return Math.ceil((nowMs + inMs) / widthMs) * widthMs;
}

/** For how long a statement waits for lanes, looking in between whether it still should. */
const CATCH_UP_SLICES = 10;
const CATCH_UP_SLICE_MS = 100;

export class Lanes {
  readonly #dependencies: LanesDependencies;
  readonly #lanes = new Map<string, Lane>();
  readonly #bodies = new BodyBudget();
  #refusing = false;

  constructor(dependencies: LanesDependencies) {
    this.#dependencies = dependencies;
  }

  forTarget(targetId: string): Lane {
    const known = this.#lanes.get(targetId);
    if (known !== undefined) return known;
    const lane = this.#open(targetId);
    if (this.#refusing) lane.refuse();
    this.#lanes.set(targetId, lane);
    return lane;
  }

  /**
   * Lets quick lanes catch up before more is stored for them, which they would have to claim. Only while this worker's
   * own thread is what everything waits for: then what is stored later is delivered no later. A target that is slow, or
   * has much to come, is not waited for, and none for more than a second: the statement's other events wait with it.
   */
  async catchUp(targetIds: readonly string[], signal: AbortSignal): Promise<void> {
    const { thread } = this.#dependencies;
    const lanes = [...new Set(targetIds)].map((id) => this.forTarget(id));
    for (let slice = 0; slice < CATCH_UP_SLICES && thread.isBusy; slice++) {
      const waits = lanes.map((lane) => lane.catchUp()).filter((wait) => wait !== undefined);
      if (waits.length === 0) return;
      if ((await Promise.race([Promise.all(waits), pause(CATCH_UP_SLICE_MS, signal)])) === "aborted") return;
    }
  }

  /** Nothing more is taken in hand, in no lane; what was reserved and is accepted now is handed back. */
  refuse(): void {
    this.#refusing = true;
    for (const lane of this.#lanes.values()) lane.refuse();
  }

  /** Resolves when all attempts that run have ended and been written. */
  async stop(): Promise<void> {
    this.refuse();
    await Promise.all([...this.#lanes.values()].map((lane) => lane.stop()));
  }

  #open(targetId: string): Lane {
    const { db, leases, breakers, recorder, dispatcher, log, findTarget } = this.#dependencies;
    return new Lane({
      target: () => findTarget(targetId),
      claim: (limit, maxBytes) => claimDue(db, targetId, limit, leases.lease, maxBytes),
      claimOne: (id) => claimOne(db, id, leases.lease),
      handBack: (ids) => handBack(db, ids, leases.lease.workerId),
      hold: (id) => leases.hold(id),
      release: (id) => leases.release(id),
      breaker: breakers.forTarget(targetId),
      bodies: this.#bodies,
      send: (target, delivery, number) => sendDelivery(dispatcher, target, delivery, number),
      record: (attempt, isAwaited) => recorder.record(attempt, isAwaited),
      scheduleWakeUp: (inMs) => this.#scheduleWakeUp(targetId, inMs),
      random: Math.random,
      onAttempt: (target, delivery, attempt) => {
        if (!log.isLevelEnabled("info")) return;
        log.info(
          {
            event: formatId("evt", delivery.eventId),
            delivery: formatId("dlv", delivery.id),
            target: formatId("tgt", target.id),
            webhook_id: delivery.webhookId,
            attempt: attempt.number,
            status_code: attempt.statusCode,
            error: attempt.error,
            outcome: attempt.next.status,
            retry_in_ms: attempt.next.status === "pending" ? attempt.next.retryInMs : undefined,
            duration_ms: Math.round(attempt.durationMs * 100) / 100,
          },
          "attempt",
        );
      },
      // Of each lane each second, while PostgreSQL is away.
      onClaimFailed: (error) => sparing(log).warn({ err: error, target: formatId("tgt", targetId) }, "nothing claimed"),
    });
  }

  #scheduleWakeUp(targetId: string, inMs: number): void {
    const nowMs = Date.now();
    const atMs = wakeUpAt(nowMs, inMs);
    this.#dependencies.producer
      .add("deliver", { targetId }, { delayMs: atMs - nowMs, key: `at-${targetId}-${atMs}` })
      // Failure policy: open. The delivery is due in PostgreSQL, and the sweep wakes its target.
      .catch((error: unknown) => sparing(this.#dependencies.log).warn({ err: error }, "wake-up not scheduled"));
  }
}
