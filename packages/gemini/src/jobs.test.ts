// Jobs as the SDK reads them at a simulated Gemini, in the words of Sluice.

import { Secret } from "@sluice/shared/settings/secret";
import { describe, expect, test } from "vitest";

import { openSimulator } from "../../../tests/support/gemini-simulator.ts";
import { readBatchFailure, readBatchJob, readInteraction, readVideo } from "./jobs-readings.ts";
import { openGeminiJobs } from "./jobs.ts";

const KEY = "AIzaSyReadsJobsReadsJobsReadsJobsReads1";

async function openJobs() {
  const simulator = await openSimulator({ maxBatchPageSize: 2 });
  let requests = 0;
  const spend = async () => {
    requests += 1;
    return true;
  };
  const gemini = await openGeminiJobs(new Secret(KEY), { baseUrl: simulator.url, spend });
  return { simulator, gemini, countRequests: () => requests };
}

describe("reading jobs", () => {
  test("lists batches page by page, and each call is one request", async () => {
    const { simulator, gemini, countRequests } = await openJobs();
    const jobs = Array.from({ length: 3 }, () => simulator.jobs.start({ kind: "batch" }));
    const [oldest, , newest] = jobs;
    if (oldest !== undefined) simulator.jobs.move(oldest, { state: "partially_succeeded" });
    const first = await gemini.listBatches();
    expect(first.batches).toHaveLength(2);
    expect(first.batches[0]).toEqual({
      name: newest?.name,
      state: "pending",
      startedAtMs: simulator.clock.nowMs(),
      endedAtMs: undefined,
      data: {},
    });
    const second = await gemini.listBatches(first.nextPageToken);
    expect(second.batches).toMatchObject([{ state: "partially_succeeded", endedAtMs: simulator.clock.nowMs() }]);
    expect(second.nextPageToken).toBeUndefined();
    expect(countRequests()).toBe(2);
  });

  test.for(["batch", "interaction", "video"] as const)(
    "of the kind %s fails once, with Gemini's Retry-After",
    async (kind) => {
      const { simulator, gemini, countRequests } = await openJobs();
      const job = simulator.jobs.start({ kind });
      expect(gemini.retryAfterMs).toBeUndefined();
      simulator.faults.calls.add({ failure: { kind: "error", status: 429, retryAfterSeconds: 7 } });
      await expect(gemini.read(kind, job.name)).rejects.toMatchObject({ kind: "rate_limited", status: 429 });
      expect(gemini.retryAfterMs).toBe(7_000);
      expect(await gemini.read(kind, job.name)).toMatchObject({ name: job.name, endedAtMs: undefined });
      job.isLost = true;
      const failure = await gemini.read(kind, job.name).catch((error: unknown) => error);
      expect(failure).toMatchObject({ kind: "not_found", status: 404 });
      expect(String(failure)).not.toContain(KEY);
      expect(countRequests()).toBe(3);
    },
  );

  test("of a failed batch finds why it failed, which its list does not say", async () => {
    const { simulator, gemini } = await openJobs();
    const job = simulator.jobs.start({ kind: "batch" });
    simulator.jobs.move(job, { state: "failed", error: { code: 8, message: "too large" } });
    expect(await gemini.readBatchFailure(job.name)).toEqual({ error_code: 8, error_message: "too large" });
  });
});

describe("what Gemini leaves out", () => {
  test("ends nothing", () => {
    expect(readBatchJob({})).toBeUndefined();
    expect(readBatchJob({ name: "batches/a" })).toMatchObject({ state: "unspecified", endedAtMs: undefined });
    expect(readBatchJob({ name: "batches/a", state: "JOB_STATE_SUCCEEDED" })).toMatchObject({ endedAtMs: undefined });
    expect(
      readBatchJob({ name: "batches/a", state: "JOB_STATE_RUNNING", updateTime: "2026-01-22T12:00:00Z" }),
    ).toMatchObject({
      endedAtMs: undefined,
    });
    expect(readBatchFailure({})).toEqual({});
    expect(readInteraction("a", {})).toMatchObject({ state: "unspecified", startedAtMs: undefined });
    expect(readVideo("a", {})).toMatchObject({ state: "running" });
    expect(readVideo("a", { done: true })).toMatchObject({ state: "generated", data: {} });
  });

  test("is taken from the time of the last change, for a batch that has ended", () => {
    const batch = {
      name: "batches/a",
      state: "JOB_STATE_EXPIRED",
      updateTime: "2026-01-22T12:00:00Z",
      createTime: "never",
    };
    expect(readBatchJob(batch)).toMatchObject({ endedAtMs: Date.UTC(2026, 0, 22, 12), startedAtMs: undefined });
  });
});
