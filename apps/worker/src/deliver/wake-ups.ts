// Wakes a target again when a delivery of it is due later. Deliveries that are due in the same stretch of time share
// one BullMQ job, so that a million waiting deliveries are some two hundred jobs.

import type { Producer } from "@sluice/queue/queue";
import type { Logger } from "@sluice/shared/runtime/log";
import { sparing } from "@sluice/shared/runtime/sparing-log";

const SHORTEST_STRETCH_MS = 250;

/** The farther away the delivery is due, the longer the stretch, and the more deliveries share a job. */
const STRETCHES: { fromMs: number; widthMs: number }[] = [
  { fromMs: 600_000, widthMs: 60_000 },
  { fromMs: 60_000, widthMs: 10_000 },
  { fromMs: 10_000, widthMs: 1_000 },
  { fromMs: 0, widthMs: SHORTEST_STRETCH_MS },
];

/** When to wake for a delivery that is due in `inMs`: the end of its stretch, in milliseconds since 1970. */
export function wakeUpAt(nowMs: number, inMs: number): number {
  const widthMs = STRETCHES.find((stretch) => inMs >= stretch.fromMs)?.widthMs ?? SHORTEST_STRETCH_MS;
  return Math.ceil((nowMs + inMs) / widthMs) * widthMs;
}

export class WakeUps {
  readonly #producer: Pick<Producer, "add">;
  readonly #log: Logger;

  constructor(producer: Pick<Producer, "add">, log: Logger) {
    this.#producer = producer;
    this.#log = log;
  }

  schedule(targetId: string, inMs: number): void {
    const nowMs = Date.now();
    const atMs = wakeUpAt(nowMs, inMs);
    this.#producer
      .add("deliver", { targetId }, { delayMs: atMs - nowMs, key: `at-${targetId}-${atMs}` })
      // Failure policy: open. The delivery is due in PostgreSQL, and the sweep wakes its target.
      .catch((error: unknown) =>
        sparing(this.#log).warn({ err: error }, "wake-up not scheduled; the sweep wakes the target instead"),
      );
  }
}
