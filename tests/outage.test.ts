// What Prometheus sees of a target that is down for two minutes. deploy/prometheus/outage.test.yaml has the series of such
// a run, with what the alerts make of them. To record them anew, some six minutes:
//
//   SLUICE_RECORD_OUTAGE=1 npm test -- --project redis tests/outage && npm run format

import { readFileSync, writeFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

import { expect } from "vitest";
import { parse, stringify } from "yaml";

import { readRules, selectorsOf } from "./support/monitoring-files.ts";
import { relayTest } from "./support/relay.ts";
import { type Scrape, scrapeGateway, scrapeWorker } from "./support/scrape.ts";

const test = relayTest();
const FILE = new URL("../deploy/prometheus/outage.test.yaml", import.meta.url);
const EVERY_SECONDS = 15;
/** In scrapes: how long all is well, how long the target is down, and how long it is watched after that. */
const PHASES = { well: 4, down: 8, after: 12 };
const EVENT_EVERY_MS = 500;
const TARGET = "billing";

/** The metrics that the rules read. */
const NAMES = new Set(readRules().flatMap(({ expr }) => selectorsOf(expr).map((each) => each.replace(/\{.*/, ""))));

test.skipIf(process.env["SLUICE_RECORD_OUTAGE"] !== "1")(
  "records the series of an outage",
  { timeout: 900_000 },
  async ({ relay, receiver }) => {
    let isDown = false;
    receiver.answerWith(() => ({ status: isDown ? 503 : 200 }));
    // Some deliveries are given up while the target is down.
    await relay.createTarget(receiver, {
      name: TARGET,
      retry: { base_seconds: 5, cap_seconds: 20, horizon_seconds: 60 },
    });
    const series = new Map<string, (number | undefined)[]>();
    const add = (scrape: Scrape, at: number) => {
      for (const { name, labels, value } of scrape.samples.filter((each) => NAMES.has(each.name))) {
        // Other targets of the relay, and a release, are no part of the outage.
        if (labels["target"] === "_other") continue;
        const text = Object.entries(labels).map(([key, label]) => `${key}="${label}"`);
        const key = text.length === 0 ? name : `${name}{${text.join(",")}}`;
        const values = series.get(key) ?? [];
        values[at] = value;
        series.set(key, values);
      }
    };
    const sending = setInterval(() => void relay.sendEvent().catch(() => undefined), EVENT_EVERY_MS);
    const count = PHASES.well + PHASES.down + PHASES.after;
    const startedAt = performance.now();
    for (let at = 0; at < count; at++) {
      await delay(Math.max(0, startedAt + at * EVERY_SECONDS * 1_000 - performance.now()));
      isDown = at >= PHASES.well && at < PHASES.well + PHASES.down;
      add(await scrapeGateway(relay), at);
      add(await scrapeWorker(relay), at);
    }
    clearInterval(sending);

    const values = (key: string) => series.get(key) ?? [];
    const open = values(`sluice_breaker_open{target="${TARGET}"}`);
    const exhausted = values(`sluice_deliveries_finished_total{target="${TARGET}",result="exhausted"}`);
    const opened = open.indexOf(1);
    const closed = open.indexOf(0, opened);
    const gaveUp = exhausted.findIndex((value) => value !== undefined && value > 0);
    // The breaker was open for longer than the rule waits, and the relay recovered.
    expect([opened >= PHASES.well, closed - opened > 60 / EVERY_SECONDS, gaveUp > 0]).toEqual([true, true, true]);

    const secondsOf = (at: number) => `${at * EVERY_SECONDS}s`;
    const input = [...series].map(([key, samples]) => ({
      series: key,
      values: Array.from({ length: count }, (_, at) => samples[at] ?? "_").join(" "),
    }));
    const firing = (at: number, alerts: readonly string[]) => ({
      expr: 'count by (alertname, target) (ALERTS{alertstate="firing"})',
      eval_time: secondsOf(at),
      exp_samples: alerts.map((alert) => ({ labels: `{alertname="${alert}",target="${TARGET}"}`, value: 1 })),
    });
    const given = (at: number) => (at >= gaveUp ? ["SluiceDeliveriesExhausted"] : []);
    const last = count - 1;
    const content = {
      rule_files: ["rules.yaml"],
      evaluation_interval: secondsOf(1),
      tests: [
        {
          name: "a target that is down for two minutes, as a real relay showed it",
          interval: secondsOf(1),
          input_series: input,
          // Exactly these alerts fire then.
          promql_expr_test: [
            firing(opened - 1, []),
            firing(closed - 1, [...given(closed - 1), "SluiceTargetDown"]),
            firing(last, given(last)),
          ],
        },
      ],
    };
    const head =
      "# Recorded by tests/outage.test.ts, and not written by hand: the series of a relay whose target answered 503 for\n" +
      "# two minutes, at two events a second, one scrape in 15 seconds. promtool test rules deploy/prometheus/outage.test.yaml\n";
    writeFileSync(FILE, head + stringify(content, { lineWidth: 0 }));
  },
);

test("the recorded series are metrics of this relay", async ({ relay }) => {
  const recorded = parse(readFileSync(FILE, "utf8")) as { tests: { input_series: { series: string }[] }[] };
  const names = recorded.tests.flatMap(({ input_series: all }) => all.map(({ series }) => series.replace(/\{.*/, "")));
  const scrapes = [await scrapeGateway(relay), await scrapeWorker(relay)];
  const types = new Set(scrapes.flatMap((scrape) => [...scrape.types.keys()]));
  expect(new Set(names).size).toBeGreaterThan(6);
  expect(
    names
      .filter((name) => !name.startsWith("sluice_redis_"))
      .filter((name) => !types.has(name) && !types.has(name.replace(/_count$/, ""))),
  ).toEqual([]);
});
