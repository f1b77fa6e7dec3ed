// Prometheus and Grafana beside the relay, by the profile `monitoring`.

import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";

import { claimPort } from "../support/ports.ts";
import { readPanels, readRules } from "../support/monitoring-files.ts";
import { postWebhook } from "../support/post-webhook.ts";
import { askPrometheus } from "../support/prometheus.ts";
import { geminiEvent, signWebhook } from "../support/sign.ts";
import { until } from "../support/wait.ts";
import { type Clone, runDocker } from "./clone.ts";
import { addTarget, receiveOnHost } from "./relay.ts";
import { CannotPlay, type Scenario } from "./scenario.ts";
import { startTraffic } from "./traffic.ts";

interface Series {
  metric: Record<string, string>;
  value: [number, string];
}
type Query = (expression: string) => Promise<{ result: Series[] }>;

/** Two scrapes are in it at any moment. */
const RATE_INTERVAL = "1m";
/** Between two looks at the dashboard, which is some fifty queries. */
const PAUSE_MS = 2_000;

export const monitoring: Scenario = {
  name: "monitoring",
  about:
    "Prometheus finds a gateway and two workers, reads them with a key of its own, and has the rules and data for each panel; Grafana has the dashboard",
  run: async ({ clone, saw, atEnd }) => {
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
    const query: Query = (expression) => askPrometheus(url, `/api/v1/query?query=${encodeURIComponent(expression)}`);
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

    const receiver = await receiveOnHost();
    atEnd(receiver.stop);
    await addTarget(relay, receiver.url());
    // Nobody listens there.
    await addTarget(relay, "http://host.docker.internal:9/hook");
    for (const line of await lookAtPanels(relay, query)) saw(line);

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

/**
 * Asks Prometheus what the dashboard asks, until each expression has a value.
 * @returns a line for each panel with what it shows.
 */
async function lookAtPanels(relay: Clone, query: Query): Promise<string[]> {
  const traffic = startTraffic(relay.ingressUrl, relay.secret);
  const forged = signWebhook({ secret: relay.secret, body: geminiEvent() });
  const panels = readPanels().filter(({ targets = [] }) => targets.length > 0);
  const ask = async () => {
    await delay(PAUSE_MS);
    await postWebhook(relay.ingressUrl, { ...forged, body: Buffer.from(geminiEvent()) });
    const shown = new Map<string, string | undefined>();
    for (const { title, targets = [] } of panels) {
      for (const { expr } of targets) {
        const { result } = await query(expr.replaceAll("$__rate_interval", RATE_INTERVAL));
        const value = result.find((series) => Number.isFinite(Number(series.value[1])));
        shown.set(`${title}: ${expr}`, value && `${result.length} series, as ${describeSeries(value)}`);
      }
    }
    return shown;
  };
  try {
    const shown = await until(ask, {
      accept: (answers) => [...answers.values()].every((text) => text !== undefined),
      timeoutMs: 300_000,
      what: "a value in each panel",
    });
    return [...shown].map(([panel, text]) => `${panel.split(": ")[0]}: ${text}`);
  } finally {
    await traffic.stop();
  }
}

function describeSeries({ metric, value }: Series): string {
  const { __name__: _, instance: __, ...labels } = metric;
  const named = Object.entries(labels).map(([name, text]) => `${name}=${text}`);
  return `${Number(Number(value[1]).toPrecision(4))}${named.length === 0 ? "" : ` (${named.join(", ")})`}`;
}
