// The metrics that each process of Sluice has: its build, those of Node, and its pools of connections to PostgreSQL.

import { collectDefaultMetrics, Gauge, type PrometheusContentType, type Registry } from "@prometheus-io/client";

import { BUILD } from "./build.ts";

export function watchProcess(registry: Registry<PrometheusContentType>): void {
  collectDefaultMetrics({ register: registry });
  new Gauge({
    name: "sluice_build_info",
    help: "Always 1. The labels say which build of Sluice this is.",
    labelNames: ["version", "commit"],
    registers: [registry],
  }).set(BUILD, 1);
}

/** What `pg` says of a pool. */
export interface Pool {
  totalCount: number;
  idleCount: number;
  waitingCount: number;
  options: { max: number };
}

/** @param pools by their names. */
export function watchPools(registry: Registry<PrometheusContentType>, pools: Readonly<Record<string, Pool>>): void {
  const watch = (name: string, help: string, read: (pool: Pool) => number) => {
    const gauge: Gauge<"pool"> = new Gauge({
      name,
      help,
      labelNames: ["pool"],
      registers: [registry],
      collect: () => {
        for (const [pool, each] of Object.entries(pools)) gauge.set({ pool }, read(each));
      },
    });
  };
  watch("sluice_postgres_pool_busy", "Connections of a pool to PostgreSQL that are in use.", (pool) =>
    Math.max(0, pool.totalCount - pool.idleCount),
  );
  watch(
    "sluice_postgres_pool_idle",
    "Connections of a pool to PostgreSQL that wait for work.",
    (pool) => pool.idleCount,
  );
  watch("sluice_postgres_pool_max", "The most connections that a pool may open.", (pool) => pool.options.max);
  watch(
    "sluice_postgres_pool_waiting",
    "Statements that wait for a connection of a pool.",
    (pool) => pool.waitingCount,
  );
}
