// The dashboard and the rules of deploy/ over a real relay: each metric that they name is in a scrape, and with a real
// Prometheus each panel has data.

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

import { describe, expect, inject, onTestFinished } from "vitest";

import { findMissingTool } from "./support/installed.ts";
import { readPanels, readRules, selectorsOf } from "./support/monitoring-files.ts";
import { startPrometheus } from "./support/prometheus.ts";
import { type Relay, relayTest } from "./support/relay.ts";
import { scrapeGateway, scrapeWorker } from "./support/scrape.ts";
import { geminiEvent, signWebhook } from "./support/sign.ts";
import { until } from "./support/wait.ts";

const METRICS_KEY = "a-key-for-prometheus-of-32-characters";
const test = relayTest({ settings: { METRICS_KEY } });
const DIRECTORY = fileURLToPath(new URL("../deploy/prometheus", import.meta.url));

/** Without Redis there is no series about it. */
const isThere = (expression: string) => inject("queue") === "redis" || !expression.includes("sluice_redis_");
const expressions = () => [
  ...readPanels().flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ title, expr }))),
  ...readRules().map(({ alert, expr }) => ({ title: alert, expr })),
];

/** Events that succeed, events that fail, and requests that are refused. */
async function makeTraffic(relay: Relay): Promise<void> {
  await relay.sendEvent();
  const forged = signWebhook({ secret: relay.secret, body: geminiEvent() });
  await relay.send({ ...forged, body: Buffer.from(geminiEvent()) });
}

test("each metric that the dashboard and the rules name is in a scrape of the relay", async ({ relay, receiver }) => {
  await relay.createTarget(receiver);
  await makeTraffic(relay);
  await receiver.waitFor(1);
  const scrapes = [await scrapeGateway(relay), await scrapeWorker(relay)];
  const types = new Set(scrapes.flatMap((scrape) => [...scrape.types.keys()]));
  const named = expressions()
    .flatMap(({ expr }) => selectorsOf(expr))
    .filter(isThere)
    .map((selector) => selector.replace(/\{.*/, ""));
  expect(new Set(named).size).toBeGreaterThan(25);
  const unknown = named.filter((name) => !types.has(name) && !types.has(name.replace(/_(?:bucket|sum|count)$/, "")));
  expect(unknown).toEqual([]);
});

const withoutPrometheus = findMissingTool(["prometheus", "promtool"]);

describe.skipIf(withoutPrometheus !== undefined)(
  `with Prometheus${withoutPrometheus ? `: no ${withoutPrometheus}` : ""}`,
  () => {
    test("each panel of the dashboard has data, and each rule can be evaluated", async ({ relay, receiver }) => {
      await relay.createTarget(receiver, { name: "billing" });
      // Every second answer is a failure, so that each panel has something to show.
      receiver.answerWith((_, index) => ({ status: index % 2 === 0 ? 503 : 200 }));
      const prometheus = await startPrometheus({
        apiUrl: relay.apiUrl,
        workerUrl: relay.workerUrl ?? "",
        metricsKey: METRICS_KEY,
      });
      onTestFinished(prometheus.stop);
      const hasData = async (expression: string) => {
        const series = await prometheus.query(expression.replaceAll("$__rate_interval", "30s"));
        return series.some(({ value }) => Number.isFinite(Number(value[1])));
      };
      const missing = new Set(
        readPanels().flatMap(({ targets = [] }) => targets.map(({ expr }) => expr).filter(isThere)),
      );
      const count = missing.size;
      await until(
        async () => {
          await makeTraffic(relay);
          for (const expression of missing) if (await hasData(expression)) missing.delete(expression);
          return [...missing];
        },
        { accept: (empty) => empty.length === 0, what: `data in ${count} expressions` },
      );
      // A rule has no series while all is well. What it reads has some.
      const read = readRules().flatMap(({ expr }) => selectorsOf(expr).filter(isThere));
      for (const selector of read)
        expect([selector, (await prometheus.query(selector)).length > 0]).toEqual([selector, true]);
      await until(prometheus.rules, { accept: (rules) => rules.every(({ health }) => health === "ok") });
      expect((await prometheus.rules()).map(({ name }) => name)).toEqual(readRules().map(({ alert }) => alert));
    });

    test("Prometheus gets no metrics of a gateway without the key", async ({ relay }) => {
      const answer = await fetch(`${relay.apiUrl}/metrics`, { headers: { authorization: "Bearer wrong" } });
      expect(answer.status).toBe(401);
      await answer.body?.cancel();
    });

    test.for([
      ["check", "rules", "rules.yaml"],
      ["test", "rules", "rules.test.yaml", "outage.test.yaml"],
      ["check", "config", "--syntax-only", "prometheus.yml"],
    ])("promtool %s %s %s passes", (words) => {
      const { status, stdout, stderr } = spawnSync("promtool", words, { cwd: DIRECTORY, encoding: "utf8" });
      expect([status, stdout + stderr]).toEqual([0, expect.stringContaining("SUCCESS")]);
    });
  },
);
