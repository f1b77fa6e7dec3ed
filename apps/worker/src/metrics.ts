// The metrics of a worker for Prometheus. No label has a value that comes from outside.

import { Counter, Gauge, type PrometheusContentType, Registry } from "@prometheus-io/client";

import { watchProcess } from "@sluice/shared/runtime/process-metrics";

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

  constructor() {
    watchProcess(this.#registry);
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
    return { contentType: this.#registry.contentType, text: await this.#registry.metrics() };
  }
}
