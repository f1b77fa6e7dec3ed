// The metrics that say something about the whole relay and not about one process. Every gateway shows them with the same
// values, and no worker does (docs/decisions/0054-gateways-show-the-figures-of-the-relay.md). While PostgreSQL is away
// they have no values.

import { Gauge, type PrometheusContentType, type Registry } from "@prometheus-io/client";

import type { StoreName } from "@sluice/queue/queue";
import type { RelayFigures, TargetFigures } from "@sluice/store/delivery/relay-figures";
import type { TargetState } from "@sluice/store/schema";

import { askOnce } from "./ask-once.ts";

const STATES: readonly TargetState[] = ["enabled", "paused", "disabled", "disabled_due_to_failed_deliveries"];

export interface RelayReaders {
  /** Asks PostgreSQL, once at each scrape. */
  readFigures: () => Promise<RelayFigures>;
  /** The number of intake jobs in each store; null for a store that does not answer. */
  readBacklog: () => Promise<Partial<Record<StoreName, number | null>>>;
}

export function watchRelay(
  registry: Registry<PrometheusContentType>,
  { readFigures, readBacklog }: RelayReaders,
): void {
  const askFigures = askOnce(readFigures);
  const watchTargets = (name: string, help: string, valueOf: (figures: TargetFigures) => number) => {
    const gauge: Gauge<"target"> = new Gauge({
      name,
      help,
      labelNames: ["target"],
      registers: [registry],
      collect: async () => {
        const figures = await askFigures();
        gauge.reset();
        for (const [target, each] of figures?.targets ?? []) gauge.set({ target }, valueOf(each));
      },
    });
  };
  watchTargets("sluice_deliveries_waiting", "Pending deliveries of a target.", ({ waiting }) => waiting);
  watchTargets(
    "sluice_oldest_waiting_seconds",
    "The age of the oldest pending delivery of a target, to the minute; 0 without one.",
    ({ oldestWaitingSeconds }) => oldestWaitingSeconds,
  );
  watchTargets(
    "sluice_breaker_open",
    "1 while the breaker of a target is open; for _other the number of such targets.",
    ({ openBreakers }) => openBreakers,
  );
  const states: Gauge<"target" | "state"> = new Gauge({
    name: "sluice_target_state",
    help: "1 for the state in which a target is; for _other the number of targets in each state.",
    labelNames: ["target", "state"],
    registers: [registry],
    collect: async () => {
      const figures = await askFigures();
      states.reset();
      for (const [target, each] of figures?.targets ?? [])
        for (const state of STATES) states.set({ target, state }, each.states[state] ?? 0);
    },
  });
  const watchFigure = (name: string, help: string, valueOf: (figures: RelayFigures) => number) => {
    const gauge: Gauge = new Gauge({
      name,
      help,
      registers: [registry],
      collect: async () => {
        const figures = await askFigures();
        gauge.set(figures === undefined ? Number.NaN : valueOf(figures));
      },
    });
  };
  watchFigure(
    "sluice_stats_lag_seconds",
    "The age of the oldest change that the figures of /v1/stats, and what waits, do not have yet.",
    ({ statsLagSeconds }) => statsLagSeconds,
  );
  watchFigure("sluice_workers", "Workers that gave a sign of life in the last seconds.", ({ workers }) => workers);
  const askBacklog = askOnce(readBacklog);
  const backlog: Gauge<"store"> = new Gauge({
    name: "sluice_intake_backlog",
    help: "Batches of acknowledged events that are not stored yet, in a store of the queue.",
    labelNames: ["store"],
    registers: [registry],
    collect: async () => {
      const depths = await askBacklog();
      backlog.reset();
      for (const [store, depth] of Object.entries(depths ?? {})) if (depth !== null) backlog.set({ store }, depth);
    },
  });
}
