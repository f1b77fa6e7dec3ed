// Prometheus and Grafana beside the relay, by the profile `monitoring`.

import assert from "node:assert/strict";

import { claimPort } from "../support/ports.ts";
import { readPanels, readRules } from "../support/monitoring-files.ts";
import { askPrometheus } from "../support/prometheus.ts";
import { until } from "../support/wait.ts";
import { runDocker } from "./clone.ts";
import { CannotPlay, type Scenario } from "./scenario.ts";

export const monitoring: Scenario = {
  name: "monitoring",
  about:
    "Prometheus finds a gateway and two workers, reads them with a key of its own, and has the rules; Grafana has the dashboard",
  run: async ({ clone, saw }) => {
    const [port, grafanaPort] = [await claimPort(), await claimPort()];
    const relay = await clone({
      env: { PROMETHEUS_PORT: String(port), GRAFANA_PORT: String(grafanaPort), WORKERS: "2" },
    });
    const images = JSON.parse(await relay.mustCompose("--profile", "monitoring", "config", "--format", "json")) as {
      services: Record<string, { image: string }>;
    };
    const isHere = async (service: string) =>
      (await runDocker(["image", "inspect", images.services[service]?.image ?? ""])).code === 0 ||
      (await relay.compose("pull", service)).code === 0;
    if (!(await isHere("prometheus"))) throw new CannotPlay("the image of Prometheus cannot be had");
    const hasGrafana = await isHere("grafana");
    await relay.mustCompose("up", "-d", "--build", "--wait");
    await relay.mustCompose("--profile", "monitoring", "up", "-d", "prometheus", ...(hasGrafana ? ["grafana"] : []));

    const url = `http://127.0.0.1:${port}`;
    const query = (expression: string) =>
      askPrometheus<{ result: { metric: Record<string, string> }[] }>(
        url,
        `/api/v1/query?query=${encodeURIComponent(expression)}`,
      );
    const up = await until(() => query("up == 1"), { accept: ({ result }) => result.length === 3 });
    const jobs = up.result.map(({ metric }) => metric["job"] ?? "").toSorted((a, b) => a.localeCompare(b));
    assert.deepEqual(jobs, ["sluice-gateway", "sluice-worker", "sluice-worker"]);
    saw("Prometheus scrapes the gateway and both workers");

    const { groups } = await askPrometheus<{ groups: { rules: { name: string; health: string }[] }[] }>(
      url,
      "/api/v1/rules?type=alert",
    );
    const names = groups.flatMap(({ rules }) => rules.map(({ name }) => name));
    assert.deepEqual(
      names,
      readRules().map(({ alert }) => alert),
    );
    saw(`Prometheus has all ${names.length} alerts`);

    const words = ["exec", "-T", "prometheus", "cat", "/var/lib/sluice/metrics-key"];
    const key = (await relay.mustCompose(...words)).trim();
    const ask = (path: string) => fetch(relay.apiUrl + path, { headers: { authorization: `Bearer ${key}` } });
    assert.deepEqual([(await ask("/metrics")).status, (await ask("/v1/events")).status], [200, 403]);
    // Prometheus itself may not list its volume.
    const list = ["ls", "/var/lib/sluice-readers/prometheus"];
    const files = await relay.mustCompose("run", "--rm", "-T", "--no-deps", "secrets", ...list);
    assert.equal(files.trim(), "metrics-key");
    saw("the key of Prometheus opens the metrics and nothing else, and Prometheus has no other secret");

    if (!hasGrafana) {
      saw("the image of Grafana cannot be had here: only its configuration was read");
      return;
    }
    const read = async () => (await fetch(`http://127.0.0.1:${grafanaPort}/api/dashboards/uid/sluice`)).json();
    const { dashboard } = (await until(read, { accept: (answer) => "dashboard" in (answer as object) })) as {
      dashboard: { panels: object[] };
    };
    assert.equal(dashboard.panels.length, readPanels().length);
    saw(`Grafana shows the dashboard with ${dashboard.panels.length} panels to whoever looks`);
  },
};
