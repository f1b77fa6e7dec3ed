// What a worker has delivered, by target. An attempt costs three increments; what would cost more is done at a scrape.
// A target that is deleted, renamed or no longer among the busiest loses its series, so that they stay few for years.

import { Counter, Gauge, type PrometheusContentType, type Registry } from "@prometheus-io/client";

import { AttemptMetrics } from "@sluice/attempt/attempt-metrics";
import type { AttemptResult } from "@sluice/attempt/attempt-result";
import type { ClaimedDelivery } from "@sluice/store/delivery/deliveries";
import type { FinishedDeliveries } from "@sluice/store/journal/stats-count";

import type { AttemptMeter } from "./deliver/attempt-meter.ts";
import type { TargetLabels } from "./target-labels.ts";

const RESULTS: readonly FinishedDeliveries["result"][] = ["succeeded", "exhausted", "cancelled"];

export interface DeliveryMetricsDependencies {
  registry: Registry<PrometheusContentType>;
  labels: TargetLabels;
  /** How many requests are in flight, by the ids of targets. */
  countInFlight: () => Iterable<[targetId: string, requests: number]>;
}

export class DeliveryMetrics implements AttemptMeter {
  readonly #labels: TargetLabels;
  readonly #attempts: AttemptMetrics;
  readonly #finished: Counter<"target" | "result">;

  constructor({ registry, labels, countInFlight }: DeliveryMetricsDependencies) {
    this.#labels = labels;
    const registers = [registry];
    this.#attempts = new AttemptMetrics(registry);
    this.#finished = new Counter({
      name: "sluice_deliveries_finished_total",
      help: "Deliveries that were finished, by any process. Each is counted in one worker.",
      labelNames: ["target", "result"],
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
    this.#attempts.count(this.#labels.labelOf(delivery.targetId), delivery, result);
  }

  countFinished(finished: readonly FinishedDeliveries[]): void {
    for (const { targetId, result, count } of finished)
      this.#finished.inc({ target: this.#labels.labelOf(targetId), result }, count);
  }

  /** Makes the series of each target that has a label now, and removes those of all others. */
  async tidy(): Promise<void> {
    const labels = this.#labels.list();
    for (const counter of [this.#attempts.attempts, this.#finished] as Counter[]) {
      const { values } = await counter.get();
      for (const { labels: series } of values) if (!labels.has(String(series["target"]))) counter.remove(series);
    }
    // An alert sees the first exhausted delivery of a series that begins with 0.
    for (const target of labels) for (const result of RESULTS) this.#finished.inc({ target, result }, 0);
  }
}
