// What a worker has delivered, by target. An attempt costs three increments; what would cost more is done at a scrape.
// A target that is deleted, renamed or no longer among the busiest loses its series, so that they stay few for years.

import { Counter, Gauge, Histogram, type PrometheusContentType, type Registry } from "@prometheus-io/client";

import { idTime } from "@sluice/shared/domain/ids";
import type { ClaimedDelivery } from "@sluice/store/delivery/deliveries";
import type { FinishedDeliveries } from "@sluice/store/journal/stats-count";

import { type AttemptResult, isSuccess } from "./breaker/attempt-result.ts";
import { type AttemptMeter, attemptReason } from "./deliver/attempt-meter.ts";
import type { TargetLabels } from "./target-labels.ts";

/** From a target beside the worker to the longest attempt. */
const ATTEMPT_BUCKETS_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
/** From a target that is well to the deadline of a delivery, a day. */
const END_TO_END_BUCKETS_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 15, 60, 300, 900, 3_600, 21_600, 86_400];
const RESULTS: readonly FinishedDeliveries["result"][] = ["succeeded", "exhausted", "cancelled"];

export interface DeliveryMetricsDependencies {
  registry: Registry<PrometheusContentType>;
  labels: TargetLabels;
  /** How many requests are in flight, by the ids of targets. */
  countInFlight: () => Iterable<[targetId: string, requests: number]>;
}

export class DeliveryMetrics implements AttemptMeter {
  readonly #labels: TargetLabels;
  readonly #attempts: Counter<"target" | "outcome" | "reason">;
  readonly #finished: Counter<"target" | "result">;
  readonly #duration: Histogram<"outcome">;
  readonly #endToEnd: Histogram;

  constructor({ registry, labels, countInFlight }: DeliveryMetricsDependencies) {
    this.#labels = labels;
    const registers = [registry];
    this.#attempts = new Counter({
      name: "sluice_delivery_attempts_total",
      help: "Attempts of this worker to deliver to a target, by what came of them.",
      labelNames: ["target", "outcome", "reason"],
      registers,
    });
    this.#finished = new Counter({
      name: "sluice_deliveries_finished_total",
      help: "Deliveries that were finished, by any process. Each is counted in one worker.",
      labelNames: ["target", "result"],
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
    const inFlight: Gauge<"target"> = new Gauge({
      name: "sluice_deliveries_in_flight",
      help: "Requests of this worker to a target that have no result yet.",
      labelNames: ["target"],
      registers,
      collect: () => {
        inFlight.reset();
        for (const target of labels.list()) inFlight.set({ target }, 0);
        for (const [id, requests] of countInFlight()) inFlight.inc({ target: labels.labelOf(id) }, requests);
      },
    });
  }

  countAttempt(delivery: ClaimedDelivery, result: AttemptResult): void {
    const isSuccessful = isSuccess(result);
    const outcome = isSuccessful ? "success" : "failure";
    const target = this.#labels.labelOf(delivery.targetId);
    this.#attempts.inc({ target, outcome, reason: attemptReason(result) });
    this.#duration.observe({ outcome }, result.durationMs / 1_000);
    if (!isSuccessful || isByHand(delivery)) return;
    const endedAtMs = result.startedAtMs + result.durationMs;
    // The clocks of two machines differ.
    this.#endToEnd.observe(Math.max(0, endedAtMs - idTime(delivery.eventId)) / 1_000);
  }

  countFinished(finished: readonly FinishedDeliveries[]): void {
    for (const { targetId, result, count } of finished)
      this.#finished.inc({ target: this.#labels.labelOf(targetId), result }, count);
  }

  /** Makes the series of each target that has a label now, and removes those of all others. */
  async tidy(): Promise<void> {
    const labels = this.#labels.list();
    for (const counter of [this.#attempts, this.#finished] as Counter[]) {
      const { values } = await counter.get();
      for (const { labels: series } of values) if (!labels.has(String(series["target"]))) counter.remove(series);
    }
    // An alert sees the first exhausted delivery of a series that begins with 0.
    for (const target of labels) for (const result of RESULTS) this.#finished.inc({ target, result }, 0);
  }
}

/** Whether somebody made or retried the delivery long after its event was received. */
const isByHand = ({ trigger, attemptCount, failureCount }: ClaimedDelivery) =>
  trigger === "manual" || attemptCount !== failureCount;
