// The metrics of a gateway for Prometheus. The values of each label come from a small set: names of existing sources,
// outcomes, reasons. Text that a sender chooses is never a label: with it, a sender could fill the memory.

import { Counter, Gauge, Histogram, type PrometheusContentType, Registry } from "@prometheus-io/client";

import type { Producer, StoreName } from "@sluice/queue/queue";
import { type Pool, watchPools, watchProcess } from "@sluice/shared/runtime/process-metrics";
import { within } from "@sluice/shared/runtime/within";
import type { RefusalReason } from "@sluice/signature/refusal";
import type { RetentionState } from "@sluice/store/delivery/retention-state";
import type { UpstreamFigures } from "@sluice/store/upstream/upstream-figures";

import { askOnce, STORE_LIMIT_MS } from "./ask-once.ts";
import { PullMetrics } from "./pull-metrics.ts";
import { type RelayReaders, watchRelay } from "./relay-metrics.ts";

/** From the time of a fsync on a fast disk to `requestTimeout` of the server, the limit of a request. */
const DURATION_BUCKETS_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
/** The label of requests to a path without a source. */
const UNKNOWN_SOURCE = "unknown";

/** How a request ended. `failed` is a fault of the relay. */
const OUTCOMES = ["accepted", "refused", "unavailable", "failed"] as const;
type IngressOutcome = (typeof OUTCOMES)[number];

export interface AnsweredRequest {
  /** The name of an existing source. Never the name in the path, because a sender chooses that. */
  source: string | undefined;
  /** The HTTP status of the answer. */
  status: number;
  durationMs: number;
}

interface WatchedProducer extends Partial<Pick<Producer, "setAside">> {
  redis?: Pick<NonNullable<Producer["redis"]>, "state"> | undefined;
}

export class Metrics {
  // Not the global registry of the library, because a test runs several gateways in one process.
  readonly #registry = new Registry<PrometheusContentType>();
  readonly #requests = new Counter({
    name: "sluice_ingress_requests_total",
    help: "Requests at the ingress that were answered.",
    labelNames: ["source", "outcome"],
    registers: [this.#registry],
  });
  readonly #refused = new Counter({
    name: "sluice_ingress_refused_total",
    help: "Requests on a known source that were refused.",
    labelNames: ["source", "reason"],
    registers: [this.#registry],
  });
  readonly #strays = new Counter({
    name: "sluice_ingress_stray_requests_total",
    help: "POST requests to a path at which there is no source.",
    registers: [this.#registry],
  });
  readonly #dropped = new Counter({
    name: "sluice_rejections_dropped_total",
    help: "Refused requests that are missing in the log of rejections, because the gateway could not write them.",
    registers: [this.#registry],
  });
  readonly #duration = new Histogram({
    name: "sluice_ingress_duration_seconds",
    help: "Time from the headers of a request to its answer.",
    // Without the source, which would make a series for each source and bucket.
    labelNames: ["outcome"],
    buckets: DURATION_BUCKETS_SECONDS,
    registers: [this.#registry],
  });
  readonly #intakeJobs = new Counter({
    name: "sluice_intake_jobs_total",
    help: "Batches of events that a store made durable.",
    labelNames: ["store"],
    registers: [this.#registry],
  });
  readonly pulls = new PullMetrics(this.#registry);

  /**
   * The parameter is the producer of the queue. Without Redis there are no series for it, which an alert could take for
   * trouble.
   */
  constructor({ redis, setAside = [] }: WatchedProducer = {}) {
    watchProcess(this.#registry);
    // An alert sees the first 503 of a series that begins with 0.
    for (const outcome of OUTCOMES) this.#duration.zero({ outcome });
    const setAsideEvents = new Gauge({
      name: "sluice_set_aside_events",
      help: "Acknowledged events that could not be stored, in a store of the queue: the same on every gateway.",
      labelNames: ["store"],
      registers: [this.#registry],
      async collect() {
        const counts = setAside.map(async (setAsideStore) => {
          const { store } = setAsideStore;
          // Failure policy: open. A store that is away has no value, and the values of the other stores are not late.
          const count = await within(STORE_LIMIT_MS, setAsideStore.count()).catch(() => undefined);
          if (count === undefined) setAsideEvents.remove({ store });
          else setAsideEvents.set({ store }, count);
        });
        await Promise.all(counts);
      },
    });
    if (redis === undefined) return;
    const gauge = (name: string, help: string, read: () => boolean | number | null) =>
      new Gauge({
        name,
        help,
        registers: [this.#registry],
        collect() {
          this.set(Number(read() ?? Number.NaN));
        },
      });
    gauge(
      "sluice_redis_durable",
      "Whether Redis keeps the jobs that it confirms, by its settings, and also when a replica takes over.",
      () => redis.state.durable === true,
    );
    gauge(
      "sluice_redis_takes_jobs",
      "Whether jobs go to Redis; otherwise they go to PostgreSQL.",
      () => redis.state.takesJobs,
    );
    gauge(
      "sluice_redis_replicas_required",
      "The replicas of Redis that must confirm a job with events.",
      () => redis.state.replicas.required,
    );
    gauge(
      "sluice_redis_replicas_seen",
      "The replicas of Redis that were online when the gateway last asked.",
      () => redis.state.replicas.seen,
    );
  }

  countIntakeJob(store: StoreName): void {
    this.#intakeJobs.inc({ store });
  }

  /** @param age is called at each scrape. It returns undefined while the gateway knows no sources. */
  watchSources(age: () => { seconds: number; isFromSnapshot: boolean } | undefined): void {
    const gauges = [
      {
        name: "sluice_sources_age_seconds",
        help: "Time since PostgreSQL confirmed the sources that the ingress knows.",
        read: () => age()?.seconds ?? Number.NaN,
      },
      {
        name: "sluice_sources_from_snapshot",
        help: "1 while the ingress knows its sources from the snapshot of an earlier run.",
        read: () => Number(age()?.isFromSnapshot === true),
      },
    ];
    for (const { name, help, read } of gauges) {
      const gauge: Gauge = new Gauge({ name, help, registers: [], collect: () => gauge.set(read()) });
      this.#registry.registerMetric(gauge);
    }
  }

  /** Watches the pools of connections to PostgreSQL, by their names. */
  watchPools(pools: Readonly<Record<string, Pool>>): void {
    watchPools(this.#registry, pools);
  }

  watchRelay(readers: RelayReaders): void {
    watchRelay(this.#registry, readers);
  }

  /** @param count is called at each scrape. */
  watchTails(count: () => number): void {
    const clients: Gauge = new Gauge({
      name: "sluice_tail_clients",
      help: "Clients of the live tail that this gateway serves.",
      registers: [this.#registry],
      collect: () => clients.set(count()),
    });
  }

  /**
   * Watches what is past retention and still there: the same on every gateway.
   * @param read asks PostgreSQL at each scrape; undefined while it does not know.
   */
  watchRetention(read: () => Promise<RetentionState | undefined>): void {
    const ask = askOnce(read);
    const overdue: Gauge = new Gauge({
      name: "sluice_retention_overdue_days",
      help: "Days past RETENTION_DAYS that are not dropped yet, because another transaction has the tables locked.",
      registers: [this.#registry],
      collect: async () => overdue.set((await ask())?.overdueDays ?? Number.NaN),
    });
    const held: Gauge = new Gauge({
      name: "sluice_retention_held_days",
      help: "How many days longer than RETENTION_DAYS the oldest day of the log is kept, for whichever reason.",
      registers: [this.#registry],
      collect: async () => held.set((await ask())?.heldDays ?? Number.NaN),
    });
    const unfinished: Gauge<"target_state"> = new Gauge({
      name: "sluice_unfinished_past_retention",
      help: "Deliveries past RETENTION_DAYS that are not finished, by the state of their target.",
      labelNames: ["target_state"],
      registers: [this.#registry],
      collect: async () => {
        const state = await ask();
        unfinished.reset();
        for (const [name, deliveries] of Object.entries(state?.unfinished ?? {})) {
          unfinished.set({ target_state: name }, deliveries);
        }
      },
    });
  }

  /**
   * Watches the webhooks at Gemini: the same on every gateway.
   * @param read asks PostgreSQL, once at each scrape.
   */
  watchUpstreams(read: () => Promise<UpstreamFigures[]>): void {
    const ask = askOnce(read);
    const watch = (name: string, help: string, valueOf: (figures: UpstreamFigures) => number | null | undefined) => {
      const gauge: Gauge<"source"> = new Gauge({
        name,
        help,
        labelNames: ["source"],
        registers: [this.#registry],
        collect: async () => {
          const all = await ask();
          gauge.reset();
          for (const figures of all ?? []) {
            const value = valueOf(figures);
            if (value !== undefined && value !== null) gauge.set({ source: figures.sourceName }, value);
          }
        },
      });
    };
    watch(
      "sluice_upstream_enabled",
      "1 while the webhook of a source was enabled at Gemini when it was last seen.",
      ({ isEnabled }) => (isEnabled === null ? null : Number(isEnabled)),
    );
    watch(
      "sluice_upstream_drift",
      "Differences between the webhook at Gemini and what its source expects.",
      ({ drift }) => drift,
    );
    watch(
      "sluice_gemini_requests_this_hour",
      "Requests to Gemini in this hour with the API key of a source.",
      ({ requests }) => requests,
    );
  }

  /**
   * Watches the jobs at Gemini: the same on every gateway.
   * @param read asks PostgreSQL at each scrape; by status.
   */
  watchJobs(read: () => Promise<Record<string, number>>): void {
    const ask = askOnce(read);
    const open: Gauge<"status"> = new Gauge({
      name: "sluice_jobs_open",
      help: "Jobs at Gemini whose ends are waited for.",
      labelNames: ["status"],
      registers: [this.#registry],
      collect: async () => {
        const counts = await ask();
        open.reset();
        for (const [status, count] of Object.entries(counts ?? {})) open.set({ status }, count);
      },
    });
  }

  countRequest({ source = UNKNOWN_SOURCE, status, durationMs }: AnsweredRequest): void {
    const outcome = outcomeOf(status);
    this.#requests.inc({ source, outcome });
    this.#duration.observe({ outcome }, durationMs / 1000);
  }

  countRefusal(source: string, reason: RefusalReason): void {
    this.#refused.inc({ source, reason });
  }

  countStray(): void {
    this.#strays.inc();
  }

  countDroppedRejections(requests: number): void {
    this.#dropped.inc(requests);
  }

  /** Writes all metrics in the text format of Prometheus, 0.0.4. */
  async render(): Promise<{ contentType: string; text: string }> {
    await this.pulls.tidy();
    return { contentType: this.#registry.contentType, text: await this.#registry.metrics() };
  }
}

function outcomeOf(status: number): IngressOutcome {
  if (status < 400) return "accepted";
  if (status < 500) return "refused";
  return status === 503 ? "unavailable" : "failed";
}
