import { describe, expect, test } from "vitest";

import type { RedisState } from "@sluice/queue/queue";
import { SLUICE_VERSION } from "@sluice/shared/domain/version";
import type { UpstreamFigures } from "@sluice/store/upstream/upstream-figures";

import { Metrics } from "./metrics.ts";

/** The series of Sluice, with their values. Those of the process, and durations of nothing, are in every gateway. */
async function readOurs(metrics: Metrics): Promise<Record<string, number>> {
  const { text } = await metrics.render();
  const series = text.split("\n").filter((line) => /^sluice_(?!build_info)/.test(line) && !line.includes("_bucket{"));
  const values = series.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.split(" ").at(-1))] as const);
  return Object.fromEntries(values.filter(([name, value]) => value !== 0 || !name.includes("_duration_seconds_")));
}

describe("metrics", () => {
  test("a request is counted once, under its source and its outcome", async () => {
    const metrics = new Metrics();
    for (const status of [200, 200, 400, 404, 405, 413, 500, 503]) {
      metrics.countRequest({ source: "gemini", status, durationMs: 250 });
    }
    metrics.countRequest({ source: undefined, status: 404, durationMs: 1 });
    expect(await readOurs(metrics)).toEqual({
      'sluice_ingress_requests_total{source="gemini",outcome="accepted"}': 2,
      'sluice_ingress_requests_total{source="gemini",outcome="refused"}': 4,
      'sluice_ingress_requests_total{source="gemini",outcome="failed"}': 1,
      'sluice_ingress_requests_total{source="gemini",outcome="unavailable"}': 1,
      'sluice_ingress_requests_total{source="unknown",outcome="refused"}': 1,
      'sluice_ingress_duration_seconds_sum{outcome="accepted"}': 0.5,
      'sluice_ingress_duration_seconds_count{outcome="accepted"}': 2,
      'sluice_ingress_duration_seconds_sum{outcome="refused"}': 1.001,
      'sluice_ingress_duration_seconds_count{outcome="refused"}': 5,
      'sluice_ingress_duration_seconds_sum{outcome="failed"}': 0.25,
      'sluice_ingress_duration_seconds_count{outcome="failed"}': 1,
      'sluice_ingress_duration_seconds_sum{outcome="unavailable"}': 0.25,
      'sluice_ingress_duration_seconds_count{outcome="unavailable"}': 1,
      sluice_ingress_stray_requests_total: 0,
      sluice_rejections_dropped_total: 0,
    });
  });

  test("with Redis there are gauges, and each scrape reads their values", async () => {
    const well: RedisState = {
      takesJobs: true,
      isWell: true,
      durable: true,
      replicas: { required: 2, seen: 1 },
      problems: [],
    };
    const redis = { state: well };
    const metrics = new Metrics({ redis });
    expect(await readOurs(metrics)).toMatchObject({
      sluice_redis_durable: 1,
      sluice_redis_takes_jobs: 1,
      sluice_redis_replicas_required: 2,
      sluice_redis_replicas_seen: 1,
    });
    redis.state = {
      takesJobs: false,
      isWell: false,
      durable: null,
      replicas: { required: 2, seen: null },
      problems: ["it does not answer"],
    };
    metrics.countIntakeJob("postgres");
    expect(await readOurs(metrics)).toMatchObject({
      sluice_redis_durable: 0,
      sluice_redis_takes_jobs: 0,
      sluice_redis_replicas_seen: Number.NaN,
      'sluice_intake_jobs_total{store="postgres"}': 1,
    });
  });

  test("each outcome has a duration from the start, so that an alert sees the first 503", async () => {
    const { text } = await new Metrics().render();
    for (const outcome of ["accepted", "refused", "unavailable", "failed"])
      expect(text).toContain(`\nsluice_ingress_duration_seconds_count{outcome="${outcome}"} 0\n`);
  });

  test("a duration falls into the bucket of its seconds", async () => {
    const metrics = new Metrics();
    metrics.countRequest({ source: "gemini", status: 200, durationMs: 3 });
    const { text } = await metrics.render();
    expect(text).toContain('sluice_ingress_duration_seconds_bucket{le="0.0025",outcome="accepted"} 0\n');
    expect(text).toContain('sluice_ingress_duration_seconds_bucket{le="0.005",outcome="accepted"} 1\n');
  });

  test("refusals and dropped rejections have counters", async () => {
    const metrics = new Metrics();
    metrics.countRefusal("gemini", "stale_timestamp");
    metrics.countRefusal("gemini", "stale_timestamp");
    metrics.countRefusal("other", "too_large");
    metrics.countDroppedRejections(7);
    expect(await readOurs(metrics)).toEqual({
      'sluice_ingress_refused_total{source="gemini",reason="stale_timestamp"}': 2,
      'sluice_ingress_refused_total{source="other",reason="too_large"}': 1,
      sluice_ingress_stray_requests_total: 0,
      sluice_rejections_dropped_total: 7,
    });
  });

  test("what is past retention is read at each scrape, and has no value while PostgreSQL is away", async () => {
    const metrics = new Metrics();
    const answers = [
      { overdueDays: 2, heldDays: 9, unfinished: { paused: 7, deleted: 1 } },
      { overdueDays: 0, heldDays: 0, unfinished: { paused: 6 } },
    ];
    let answer = answers[0];
    metrics.watchRetention(async () => {
      if (answer === undefined) throw new Error("PostgreSQL is away");
      return answer;
    });
    expect(await readOurs(metrics)).toMatchObject({
      sluice_retention_overdue_days: 2,
      sluice_retention_held_days: 9,
      'sluice_unfinished_past_retention{target_state="paused"}': 7,
      'sluice_unfinished_past_retention{target_state="deleted"}': 1,
    });
    answer = answers[1];
    const ours = await readOurs(metrics);
    expect(ours).toMatchObject({
      sluice_retention_overdue_days: 0,
      'sluice_unfinished_past_retention{target_state="paused"}': 6,
    });
    expect(ours).not.toHaveProperty('sluice_unfinished_past_retention{target_state="deleted"}');
    answer = undefined;
    expect(await readOurs(metrics)).toMatchObject({ sluice_retention_overdue_days: Number.NaN });
  });

  test("webhooks at Gemini are read once at each scrape, and have no value while PostgreSQL is away", async () => {
    const metrics = new Metrics();
    let reads = 0;
    let answer: UpstreamFigures[] | undefined = [
      { sourceName: "gemini", isEnabled: true, drift: 0, requests: 12 },
      { sourceName: "other", isEnabled: false, drift: 2, requests: undefined },
      { sourceName: "jobs", isEnabled: null, drift: null, requests: 3 },
    ];
    metrics.watchUpstreams(async () => {
      reads += 1;
      if (answer === undefined) throw new Error("PostgreSQL is away");
      return answer;
    });
    const upstream = async () =>
      Object.fromEntries(
        Object.entries(await readOurs(metrics)).filter(([name]) => /upstream|gemini_requests/.test(name)),
      );
    expect(await upstream()).toEqual({
      'sluice_upstream_enabled{source="gemini"}': 1,
      'sluice_upstream_enabled{source="other"}': 0,
      'sluice_upstream_drift{source="gemini"}': 0,
      'sluice_upstream_drift{source="other"}': 2,
      'sluice_gemini_requests_this_hour{source="gemini"}': 12,
      'sluice_gemini_requests_this_hour{source="jobs"}': 3,
    });
    expect(reads).toBe(1);
    answer = undefined;
    expect(await upstream()).toEqual({});
  });

  test("open jobs are read at each scrape, and have no value while PostgreSQL is away", async () => {
    const metrics = new Metrics();
    let isAway = false;
    metrics.watchJobs(async () => {
      if (isAway) throw new Error("PostgreSQL is away");
      return { waiting: 4, overdue: 1 };
    });
    expect(await readOurs(metrics)).toMatchObject({
      'sluice_jobs_open{status="waiting"}': 4,
      'sluice_jobs_open{status="overdue"}': 1,
    });
    isAway = true;
    expect(Object.keys(await readOurs(metrics)).filter((name) => name.includes("jobs_open"))).toEqual([]);
  });

  test("two gateways in one process count separately, and both have the metrics of the process", async () => {
    const [one, other] = [new Metrics(), new Metrics()];
    one.countDroppedRejections(1);
    expect(await readOurs(one)).toEqual({ sluice_ingress_stray_requests_total: 0, sluice_rejections_dropped_total: 1 });
    expect(await readOurs(other)).toEqual({
      sluice_ingress_stray_requests_total: 0,
      sluice_rejections_dropped_total: 0,
    });
    for (const metrics of [one, other]) {
      const { text, contentType } = await metrics.render();
      expect(contentType).toBe("text/plain; version=0.0.4; charset=utf-8");
      // Sources that run as they are know no commit: scripts/bundle.test.ts.
      expect(text).toContain(`\nsluice_build_info{version="${SLUICE_VERSION}",commit="unknown"} 1\n`);
      expect(text).toMatch(/^process_cpu_seconds_total \d/m);
      expect(text).toMatch(/^nodejs_eventloop_lag_p99_seconds \d/m);
    }
  });
});
