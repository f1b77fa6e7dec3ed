// The metrics of pull targets in a gateway: the pulls that wait, and the attempts that targets report.

import { Gauge, type PrometheusContentType, type Registry } from "@prometheus-io/client";

import { AttemptMetrics } from "@sluice/attempt/attempt-metrics";
import type { AttemptResult } from "@sluice/attempt/attempt-result";
import type { AttemptedDelivery } from "@sluice/store/delivery/deliveries";
import { MAX_NAMED_TARGETS, OTHER_TARGETS } from "@sluice/store/journal/busiest-targets";

/** The series of a target that reported nothing for so long are removed. */
const FORGET_AFTER_MS = 3_600_000;

export class PullMetrics {
  readonly #registry: Registry<PrometheusContentType>;
  /** Undefined until a target reports: a gateway to which none does has no series of attempts. */
  #attempts: AttemptMetrics | undefined;
  /** When each named target last reported, by `performance.now()`. */
  readonly #reportedAtMs = new Map<string, number>();

  constructor(registry: Registry<PrometheusContentType>) {
    this.#registry = registry;
  }

  /** @param count is called at each scrape. */
  watchWaits(count: () => number): void {
    const waits: Gauge = new Gauge({
      name: "sluice_pull_waits",
      help: "Pulls that wait on this gateway until something is due.",
      registers: [this.#registry],
      collect: () => waits.set(count()),
    });
  }

  countAttempt(target: { name: string }, delivery: AttemptedDelivery, result: AttemptResult): void {
    this.#attempts ??= new AttemptMetrics(this.#registry);
    this.#attempts.count(this.#labelOf(target.name), delivery, result);
  }

  #labelOf(name: string): string {
    if (!this.#reportedAtMs.has(name) && this.#reportedAtMs.size >= MAX_NAMED_TARGETS) return OTHER_TARGETS;
    this.#reportedAtMs.set(name, performance.now());
    return name;
  }

  /** Removes the series of targets that are gone or idle, so that they stay few. */
  async tidy(): Promise<void> {
    const before = performance.now() - FORGET_AFTER_MS;
    const gone = new Set([...this.#reportedAtMs].filter(([, atMs]) => atMs < before).map(([name]) => name));
    if (gone.size === 0 || this.#attempts === undefined) return;
    for (const name of gone) this.#reportedAtMs.delete(name);
    const { attempts } = this.#attempts;
    const { values } = await attempts.get();
    for (const { labels } of values as { labels: Record<string, string> }[])
      if (gone.has(labels["target"] ?? "")) attempts.remove(labels);
  }
}
