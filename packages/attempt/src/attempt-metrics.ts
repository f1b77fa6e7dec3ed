// The metrics of attempts, by target. A worker counts the attempts that it makes, and a gateway those that pullers report to it.

import { Counter, Histogram, type PrometheusContentType, type Registry } from "@prometheus-io/client";

import { idTime } from "@sluice/shared/domain/ids";
import type { AttemptTrigger } from "@sluice/store/schema";

import { attemptReason } from "./attempt-reason.ts";
import { type AttemptResult, isSuccess } from "./attempt-result.ts";

/** From a target beside the worker to the longest attempt. */
const ATTEMPT_BUCKETS_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
/** From a target that is well to the deadline of a delivery, a day. */
const END_TO_END_BUCKETS_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 15, 60, 300, 900, 3_600, 21_600, 86_400];

/** The delivery of an attempt. */
interface MeasuredDelivery {
  eventId: string;
  trigger: AttemptTrigger;
  attemptCount: number;
  failureCount: number;
}

export class AttemptMetrics {
  /** For whoever removes the series of a target that is gone. */
  readonly attempts: Counter<"target" | "outcome" | "reason">;
  readonly #duration: Histogram<"outcome">;
  readonly #endToEnd: Histogram;

  constructor(registry: Registry<PrometheusContentType>) {
    const registers = [registry];
    this.attempts = new Counter({
      name: "sluice_delivery_attempts_total",
      help: "Attempts to deliver to a target, by what came of them: of this worker, or reported to this gateway by pullers.",
      labelNames: ["target", "outcome", "reason"],
      registers,
    });
    this.#duration = new Histogram({
      name: "sluice_delivery_attempt_duration_seconds",
      help: "Time from the start of an attempt to the end of the response or the failure.",
      labelNames: ["outcome"],
      buckets: ATTEMPT_BUCKETS_SECONDS,
      registers,
    });
    for (const outcome of ["success", "failure"]) this.#duration.zero({ outcome });
    this.#endToEnd = new Histogram({
      name: "sluice_delivery_end_to_end_seconds",
      help: "Time from the receipt of an event to its successful delivery. Without what was retried or replayed by hand.",
      buckets: END_TO_END_BUCKETS_SECONDS,
      registers,
    });
  }

  /** @param target the label of the target. */
  count(target: string, delivery: MeasuredDelivery, result: AttemptResult): void {
    const isSuccessful = isSuccess(result);
    const outcome = isSuccessful ? "success" : "failure";
    this.attempts.inc({ target, outcome, reason: attemptReason(result) });
    this.#duration.observe({ outcome }, result.durationMs / 1_000);
    if (!isSuccessful || isByHand(delivery)) return;
    const endedAtMs = result.startedAtMs + result.durationMs;
    // The clocks of two machines differ.
    this.#endToEnd.observe(Math.max(0, endedAtMs - idTime(delivery.eventId)) / 1_000);
  }
}

/** Whether somebody made or retried the delivery long after its event was received. */
const isByHand = ({ trigger, attemptCount, failureCount }: MeasuredDelivery) =>
  trigger === "manual" || attemptCount !== failureCount;
