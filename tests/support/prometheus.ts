// A real Prometheus that scrapes the relay of a test, with the rules of deploy/.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { stringify } from "yaml";

import { endWithProcess } from "./end-with-process.ts";
import { claimPort } from "./ports.ts";
import { until } from "./wait.ts";

const RULES = fileURLToPath(new URL("../../deploy/prometheus/rules.yaml", import.meta.url));

interface Series {
  metric: Record<string, string>;
  /** When, in seconds since 1970, and the value as text. */
  value: [number, string];
}

interface Prometheus {
  /** The series of an instant query, now. @throws Error for an expression that is not valid. */
  query: (expression: string) => Promise<Series[]>;
  /** The names of the alerting rules, and whether Prometheus could evaluate each. */
  rules: () => Promise<{ name: string; health: string; lastError?: string }[]>;
  stop: () => Promise<void>;
}

const job = (name: string, url: string, more: object = {}) => ({
  job_name: name,
  static_configs: [{ targets: [new URL(url).host] }],
  ...more,
});

/** @param path of its HTTP API. @returns the field `data` of its answer. */
export async function askPrometheus<T>(url: string, path: string): Promise<T> {
  const answer = (await (await fetch(url + path)).json()) as { status: string; error?: string; data: T };
  if (answer.status !== "success") throw new Error(`Prometheus: ${answer.error}`);
  return answer.data;
}

/** Resolves when Prometheus has scraped the gateway and the worker. */
export async function startPrometheus(relay: {
  apiUrl: string;
  workerUrl: string;
  metricsKey: string;
}): Promise<Prometheus> {
  const directory = mkdtempSync(join(tmpdir(), "sluice-prometheus-"));
  const keyFile = join(directory, "metrics-key");
  writeFileSync(keyFile, relay.metricsKey);
  const config = {
    global: { scrape_interval: "1s", evaluation_interval: "1s" },
    rule_files: [RULES],
    scrape_configs: [
      job("sluice-gateway", relay.apiUrl, { authorization: { credentials_file: keyFile } }),
      job("sluice-worker", relay.workerUrl),
    ],
  };
  const configFile = join(directory, "prometheus.yml");
  writeFileSync(configFile, stringify(config));
  const url = `http://127.0.0.1:${await claimPort()}`;
  const flags = [
    `--config.file=${configFile}`,
    `--storage.tsdb.path=${join(directory, "data")}`,
    `--web.listen-address=${new URL(url).host}`,
  ];
  const server = spawn("prometheus", flags, { stdio: "ignore" });
  const pids = new Map<number, NodeJS.Signals>(server.pid === undefined ? [] : [[server.pid, "SIGKILL"]]);
  endWithProcess(pids, () => undefined);
  const ended = new Promise<void>((resolve) => server.once("exit", () => resolve()));
  const query = async (expression: string) =>
    (await askPrometheus<{ result: Series[] }>(url, `/api/v1/query?query=${encodeURIComponent(expression)}`)).result;
  const rules = async () => {
    const { groups } = await askPrometheus<{
      groups: { rules: { name: string; health: string; lastError?: string }[] }[];
    }>(url, "/api/v1/rules?type=alert");
    return groups.flatMap((group) => group.rules);
  };
  const stop = async () => {
    server.kill("SIGTERM");
    await ended;
    pids.clear();
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    await until(async () => (await query("up == 1")).length, { accept: (jobs) => jobs === 2, what: "two scrapes" });
  } catch (error) {
    await stop();
    throw error;
  }
  return { query, rules, stop };
}
