// The metrics of a whole relay: each that docs/monitoring.md names is there, no other is, and they say what happened.

import { readFileSync } from "node:fs";

import { expect, inject } from "vitest";

import { test } from "./support/relay.ts";
import { type Scrape, scrapeGateway, scrapeWorker } from "./support/scrape.ts";
import { until } from "./support/wait.ts";

const DOCUMENT = readFileSync(new URL("../docs/monitoring.md", import.meta.url), "utf8");

/** The labels of each metric in a section of docs/monitoring.md. */
function documented(section: string): Map<string, string[]> {
  const text = DOCUMENT.split(`\n## ${section}\n`)[1]?.split("\n## ")[0] ?? "";
  const rows = [...text.matchAll(/^\| `(\w+)(?:\{([\w,]+)\})?` \|/gm)];
  return new Map(rows.map(([, name = "", labels]) => [name, labels?.split(",").toSorted() ?? []]));
}

/** @returns the value of a series; undefined when there is none. */
function valueOf({ samples }: Scrape, name: string, labels: Record<string, string> = {}): number | undefined {
  const found = samples.find(
    (sample) => sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value),
  );
  return found?.value;
}

test("docs/monitoring.md names the metrics of gateway and worker with their labels, and no others", async ({
  relay,
  receiver,
}) => {
  await relay.createTarget(receiver);
  await relay.sendEvent();
  await receiver.waitFor(1);
  for (const [section, scrape] of [
    ["Metrics of a gateway", await scrapeGateway(relay)],
    ["Metrics of a worker", await scrapeWorker(relay)],
  ] as const) {
    const named = documented(section);
    if (inject("queue") === "postgres")
      for (const name of [...named.keys()].filter((each) => each.startsWith("sluice_redis_"))) named.delete(name);
    const ours = [...scrape.types.keys()].filter((name) => name.startsWith("sluice_"));
    expect(ours.toSorted()).toEqual([...named.keys()].toSorted());
    for (const { name, labels } of scrape.samples) {
      const metric = scrape.types.has(name) ? name : name.replace(/_(?:bucket|sum|count)$/, "");
      const expected = named.get(metric);
      const keys = Object.keys(labels).filter((key) => key !== "le");
      if (expected !== undefined) expect([name, keys.toSorted()]).toEqual([name, expected]);
    }
    for (const metric of ["process_cpu_seconds_total", "nodejs_eventloop_lag_p99_seconds", "nodejs_version_info"])
      expect(scrape.types.has(metric), metric).toBe(true);
  }
});

test("the metrics follow a target that fails, waits, recovers and is paused", async ({ relay, receiver }) => {
  const target = await relay.createTarget(receiver, {
    name: "followed",
    retry: { base_seconds: 600, cap_seconds: 600, horizon_seconds: 3_600 },
  });
  const held = Promise.withResolvers<void>();
  receiver.answerWith(() => ({ status: 503, after: held.promise }));
  await relay.sendEvent();
  await receiver.waitFor(1);
  const label = { target: "followed" };
  expect(valueOf(await scrapeWorker(relay), "sluice_deliveries_in_flight", label)).toBe(1);
  held.resolve();
  const failed = { ...label, outcome: "failure", reason: "server_error" };
  await until(async () => valueOf(await scrapeWorker(relay), "sluice_delivery_attempts_total", failed), {
    accept: (attempts) => attempts === 1,
  });
  await until(async () => valueOf(await scrapeGateway(relay), "sluice_deliveries_waiting", label), {
    accept: (waiting) => waiting === 1,
  });
  const before = valueOf(await scrapeWorker(relay), "sluice_delivery_end_to_end_seconds_count") ?? 0;
  receiver.answerWith(() => ({ status: 200 }));
  await relay.sendEvent();
  await until(
    async () =>
      valueOf(await scrapeWorker(relay), "sluice_deliveries_finished_total", { ...label, result: "succeeded" }),
    {
      accept: (succeeded) => succeeded === 1,
    },
  );
  expect(valueOf(await scrapeWorker(relay), "sluice_delivery_end_to_end_seconds_count")).toBe(before + 1);

  await relay.call("POST", `/v1/targets/${target.id}:pause`);
  const gateway = await scrapeGateway(relay);
  expect(valueOf(gateway, "sluice_target_state", { ...label, state: "paused" })).toBe(1);
  expect(valueOf(gateway, "sluice_target_state", { ...label, state: "enabled" })).toBe(0);
  expect(valueOf(gateway, "sluice_workers")).toBe(1);
  expect(valueOf(gateway, "sluice_oldest_waiting_seconds", label)).toBeGreaterThanOrEqual(0);
  expect(valueOf(gateway, "sluice_retention_held_days")).toBe(0);
});

test("a test of a target that fails is in no metric, and a live tail is one client", async ({ relay, receiver }) => {
  const target = await relay.createTarget(receiver, { name: "tested" });
  receiver.answerWith(() => ({ status: 500 }));
  await relay.call("POST", `/v1/targets/${target.id}:test`);
  await until(async () => valueOf(await scrapeGateway(relay), "sluice_stats_lag_seconds"), {
    accept: (lag) => lag === 0,
  });
  const { samples } = await scrapeWorker(relay);
  const ofTarget = samples.filter(({ labels, value }) => labels["target"] === "tested" && value !== 0);
  expect(ofTarget).toEqual([]);

  const headers = { authorization: `Bearer ${relay.apiKey}` };
  const tail = await fetch(`${relay.apiUrl}/v1/tail`, { headers });
  expect(valueOf(await scrapeGateway(relay), "sluice_tail_clients")).toBe(1);
  await tail.body?.cancel();
  await until(async () => valueOf(await scrapeGateway(relay), "sluice_tail_clients"), { accept: (open) => open === 0 });
});
