// The metrics that each process of Sluice has: its build, and those of Node.

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
