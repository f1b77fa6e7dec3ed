// What becomes of each kind of job, and of each of its ends, when its webhook does not come.

import { describe, expect } from "vitest";

import { test } from "../../../../tests/support/database.ts";
import { openReconciler } from "../../../../tests/support/reconcile.ts";
import { makeEvent, newLease } from "../../../../tests/support/seed.ts";
import { storeEvents } from "@sluice/store/delivery/store-events";

const NEVER = { kind: "never" } as const;
const HOUR_MS = 3_600_000;

describe("a job whose webhook does not come", () => {
  test("becomes the event of its end, in the payload's own form", async ({ database: { db } }) => {
    const reconciler = await openReconciler(db);
    const { jobs } = reconciler.simulator;
    const start = (kind: "batch" | "interaction" | "video", state: string) => {
      const job = jobs.start({ kind, model: "veo" });
      jobs.move(job, {
        state,
        fault: NEVER,
        ...(state === "failed" && { error: { code: 3, message: "no such file" } }),
      });
      return job;
    };
    const [succeeded, failed, expired] = [
      start("batch", "succeeded"),
      start("batch", "failed"),
      start("batch", "expired"),
    ];
    const [interaction, video] = [start("interaction", "completed"), start("video", "generated")];
    for (const job of [interaction, video]) await reconciler.expect(job.kind, job.name);
    await reconciler.turn();
    // A video has no time of its end, so that its grace time begins when it is read.
    expect((await reconciler.events()).map(({ type }) => type)).not.toContain("video.generated");
    await db.pool.query(
      "UPDATE jobs SET ended_at = ended_at - interval '1 hour', next_check_at = now() WHERE kind = 'video' AND status = 'waiting'",
    );
    await reconciler.turn();
    const events = await reconciler.events();
    const expected = [
      ["batch.succeeded", succeeded.id, { output_file_uri: `files/batch-${succeeded.id}` }],
      ["batch.failed", failed.id, { error_code: 3, error_message: "no such file" }],
      ["batch.expired", expired.id, {}],
      ["interaction.completed", interaction.id, {}],
      [
        "video.generated",
        video.id,
        { output_file_uri: expect.stringContaining(`files/${video.id}`), file_name: `files/${video.id}` },
      ],
    ] as const;
    expect(events).toHaveLength(expected.length);
    for (const [type, id, data] of expected) {
      expect(events).toContainEqual({
        type,
        scheme: "reconciled",
        version: "v1",
        timestamp: expect.any(String),
        data: { id, ...data },
      });
    }
    expect(new Set((await reconciler.jobs()).map(({ status }) => status))).toEqual(new Set(["reconciled"]));
    expect(await reconciler.turn()).toBe(1);
    expect(await reconciler.events()).toHaveLength(expected.length);
  });

  test("waits for the grace time after its end", async ({ database: { db } }) => {
    const reconciler = await openReconciler(db, { settings: { graceSeconds: 2 * 3_600 } });
    const { jobs } = reconciler.simulator;
    const job = jobs.start({ kind: "batch" });
    jobs.move(job, { state: "succeeded", fault: NEVER });
    await reconciler.turn();
    expect(await reconciler.jobs()).toMatchObject([{ name: job.name, status: "waiting", state: "succeeded" }]);
    expect(await reconciler.events()).toEqual([]);
  });

  test("and whose end has no event, is told of by name, with its state", async ({ database: { db } }) => {
    const reconciler = await openReconciler(db);
    const { jobs } = reconciler.simulator;
    const ends = [
      ["batch", "cancelled"],
      ["batch", "partially_succeeded"],
      ["interaction", "cancelled"],
      ["interaction", "incomplete"],
      ["interaction", "budget_exceeded"],
      ["video", "failed"],
    ] as const;
    const started = [];
    for (const [kind, state] of ends) {
      const job = jobs.start({ kind });
      jobs.move(job, { state });
      started.push({ kind, state, name: job.name });
      if (kind !== "batch") await reconciler.expect(kind, job.name);
    }
    await reconciler.turn();
    await db.pool.query(
      "UPDATE jobs SET ended_at = ended_at - interval '1 hour', next_check_at = now() WHERE kind = 'video' AND status = 'waiting'",
    );
    await reconciler.turn();
    await reconciler.turn();
    const events = await reconciler.events();
    expect(events.map(({ type }) => type)).toEqual(ends.map(() => "sluice.job.ended"));
    for (const { kind, state, name } of started) {
      const told = { id: expect.stringMatching(/^job_/), kind, state, name };
      expect(events.map(({ data }) => data)).toContainEqual(expect.objectContaining(told));
    }
  });

  test("and that Gemini does not know, has failed, and this is told", async ({ database: { db } }) => {
    const reconciler = await openReconciler(db);
    const { jobs } = reconciler.simulator;
    const job = jobs.start({ kind: "interaction" });
    job.isLost = true;
    await reconciler.expect("interaction", job.name);
    await reconciler.turn();
    await reconciler.turn();
    expect(await reconciler.jobs()).toMatchObject([
      { status: "failed", problem: expect.stringContaining("interactions.get: HTTP 404") },
    ]);
    expect(await reconciler.events()).toMatchObject([
      { type: "sluice.job.ended", data: { name: job.name, state: "not_found", labels: { team: "a" } } },
    ]);
  });
});

describe("a job that runs", () => {
  test("for longer than expected is overdue, which is told once, and ends as any other", async ({
    database: { db },
  }) => {
    const reconciler = await openReconciler(db);
    const { jobs } = reconciler.simulator;
    const job = jobs.start({ kind: "interaction" });
    jobs.move(job, { state: "requires_action", fault: NEVER });
    await reconciler.expect("interaction", job.name);
    const again = async () => {
      await db.pool.query("UPDATE jobs SET next_check_at = now() WHERE name = $1", [job.name]);
      await reconciler.turn();
    };
    for (let turns = 0; turns < 3; turns++) await again();
    // It waits for its caller, and that is no end.
    expect(await reconciler.jobs()).toMatchObject([{ status: "overdue", state: "requires_action" }]);
    expect(await reconciler.events()).toMatchObject([
      { type: "sluice.job.overdue", data: { name: job.name, state: "requires_action", kind: "interaction" } },
    ]);
    jobs.move(job, { state: "completed", fault: NEVER });
    await again();
    expect(await reconciler.jobs()).toMatchObject([{ status: "reconciled", state: "completed" }]);
    expect((await reconciler.events()).map(({ type }) => type)).toEqual([
      "sluice.job.overdue",
      "interaction.completed",
    ]);
  });

  test("as expected is not asked for", async ({ database: { db } }) => {
    const reconciler = await openReconciler(db);
    const job = reconciler.simulator.jobs.start({ kind: "interaction" });
    await reconciler.expect("interaction", job.name, Date.now() + HOUR_MS);
    expect(await reconciler.turn({ withoutList: true })).toBe(0);
    expect(await reconciler.jobs()).toMatchObject([{ status: "waiting", state: null }]);
  });

  test("as a batch for more than a day is overdue", async ({ database: { db } }) => {
    const reconciler = await openReconciler(db);
    const job = reconciler.simulator.jobs.start({ kind: "batch", expires: false });
    await reconciler.turn();
    await db.pool.query("UPDATE jobs SET expected_at = now(), next_check_at = now() WHERE name = $1", [job.name]);
    await reconciler.turn({ withoutList: true });
    expect(await reconciler.jobs()).toMatchObject([{ status: "overdue", state: "pending" }]);
    expect(await reconciler.events()).toMatchObject([{ type: "sluice.job.overdue", data: { name: job.name } }]);
  });
});

describe("a job whose webhook came", () => {
  test("is seen, in the list and when it is due, and no event is made", async ({ database: { db } }) => {
    const reconciler = await openReconciler(db, { sources: 2 });
    const { jobs } = reconciler.simulator;
    const [, sharing = ""] = reconciler.sourceIds;
    const batch = jobs.start({ kind: "batch" });
    jobs.move(batch, { state: "succeeded", fault: NEVER });
    const video = jobs.start({ kind: "video", model: "veo" });
    jobs.move(video, { state: "generated", fault: NEVER });
    await reconciler.expect("video", video.name);
    const events = [
      makeEvent({ sourceId: sharing, type: "batch.completed", dataId: batch.name, body: Buffer.from("{}") }),
      makeEvent({ sourceId: sharing, type: "video.generated", dataId: video.id, body: Buffer.from("{}") }),
    ];
    await storeEvents(db, null, events, [], newLease());
    await reconciler.turn();
    const known = await reconciler.jobs();
    expect(known.map(({ status }) => status)).toEqual(["seen", "seen"]);
    expect(new Set(known.map(({ eventId }) => eventId))).toEqual(new Set(events.map(({ id }) => id)));
    expect(await reconciler.events()).toHaveLength(2);
  });
});

describe("Gemini's refusal", () => {
  test("of a job that is due leaves it, and the key rests as long as Retry-After says", async ({
    database: { db },
  }) => {
    const reconciler = await openReconciler(db);
    const { jobs, faults } = reconciler.simulator;
    const job = jobs.start({ kind: "interaction" });
    jobs.move(job, { state: "completed", fault: NEVER });
    await reconciler.expect("interaction", job.name);
    faults.calls.add({ failure: { kind: "error", status: 429, retryAfterSeconds: 3_000 }, route: "interactions.get" });
    expect(await reconciler.turn({ withoutList: true })).toBe(1);
    const { pausedUntil, problem, failures } = await reconciler.reader();
    expect(problem).toContain("interactions.get: HTTP 429");
    expect(failures).toBe(1);
    expect((pausedUntil?.getTime() ?? 0) - Date.now()).toBeGreaterThan(2_500_000);
    expect(await reconciler.turn({ withoutList: true })).toBe(0);
    await db.pool.query("UPDATE job_readers SET paused_until = now()");
    expect(await reconciler.turn({ withoutList: true })).toBe(1);
    expect(await reconciler.reader()).toMatchObject({ pausedUntil: null, problem: null, failures: 0 });
    expect(await reconciler.jobs()).toMatchObject([{ status: "reconciled" }]);
  });

  test.for([401, 403, 500, 503] as const)("%d of a call ends no job", async (status, { database: { db } }) => {
    const reconciler = await openReconciler(db);
    const { jobs, faults } = reconciler.simulator;
    const [interaction, video, batch] = [
      jobs.start({ kind: "interaction" }),
      jobs.start({ kind: "video" }),
      jobs.start({ kind: "batch" }),
    ];
    await reconciler.turn();
    for (const job of [interaction, video, batch]) await reconciler.expect(job.kind, job.name);
    faults.calls.add({ failure: { kind: "error", status }, times: 100 });
    for (let turns = 0; turns < 3; turns++) {
      expect(await reconciler.turn()).toBe(1);
      await db.pool.query("UPDATE job_readers SET paused_until = NULL");
      expect(await reconciler.turn({ withoutList: true })).toBeLessThanOrEqual(3);
      await db.pool.query("UPDATE job_readers SET paused_until = NULL");
    }
    expect((await reconciler.jobs()).map((job) => job.status)).toEqual(["waiting", "waiting", "waiting"]);
    expect(await reconciler.events()).toEqual([]);
    faults.calls.clear();
    faults.calls.add({ failure: { kind: "cut" }, times: 3 });
    expect(await reconciler.turn({ withoutList: true })).toBeLessThanOrEqual(3);
    expect((await reconciler.reader()).problem).toMatch(/network/);
    expect((await reconciler.jobs()).map((job) => job.status)).toEqual(["waiting", "waiting", "waiting"]);
    expect(await reconciler.events()).toEqual([]);
  });
});
