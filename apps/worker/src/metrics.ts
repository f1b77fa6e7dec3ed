// The metrics of a worker for Prometheus. The values of labels are names of targets and words of this code.

import { Counter, Gauge, type PrometheusContentType, Registry } from "@prometheus-io/client";

import { type Pool, watchPools, watchProcess } from "@sluice/shared/runtime/process-metrics";

import { DeliveryMetrics, type DeliveryMetricsDependencies } from "./delivery-metrics.ts";

export interface WorkerGauges {
  requestsInFlight: () => number;
  openConnections: () => number;
  maxInFlight: number;
}

export class WorkerMetrics {
  // Not the global registry of the library, because a test runs several workers in one process.
  readonly #registry = new Registry<PrometheusContentType>();
  readonly #ownFaults = new Counter({
    name: "sluice_worker_own_faults_total",
    help: "Requests that this worker could not send, for want of file descriptors, ports or memory. They are sent later.",
    registers: [this.#registry],
  });
  readonly #unrecorded = new Counter({
    name: "sluice_worker_unrecorded_attempts_total",
    help: "Attempts that PostgreSQL does not take. Their deliveries went on, and the log lacks the attempts.",
    registers: [this.#registry],
  });

  #deliveries: DeliveryMetrics | undefined;

  constructor() {
    watchProcess(this.#registry);
  }

  /** Watches the pools of connections to PostgreSQL, by their names. */
  watchPools(pools: Readonly<Record<string, Pool>>): void {
    watchPools(this.#registry, pools);
  }

  watchDeliveries(dependencies: Omit<DeliveryMetricsDependencies, "registry">): DeliveryMetrics {
    return (this.#deliveries = new DeliveryMetrics({ ...dependencies, registry: this.#registry }));
  }

  watch({ requestsInFlight, openConnections, maxInFlight }: WorkerGauges): void {
    const gauge = (name: string, help: string, read: () => number) =>
      new Gauge({
        name,
        help,
        registers: [this.#registry],
        collect() {
          this.set(read());
        },
      });
    gauge("sluice_worker_requests_in_flight", "Requests to targets that have no result yet.", requestsInFlight);
    gauge("sluice_worker_open_connections", "Connections to targets, also idle ones.", openConnections);
    gauge("sluice_worker_max_in_flight", "The most requests in flight at once.", () => maxInFlight);
  }

  countOwnFault(): void {
    this.#ownFaults.inc();
  }

  countUnrecordedAttempt(): void {
    this.#unrecorded.inc();
  }

  /** Writes all metrics in the text format of Prometheus, 0.0.4. */
  async render(): Promise<{ contentType: string; text: string }> {
    await this.#deliveries?.tidy();
    return { contentType: this.#registry.contentType, text: await this.#registry.metrics() };
  }
}
