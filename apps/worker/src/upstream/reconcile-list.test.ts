// How the list of batches is read: what it costs, what it finds, and what absence from it means.

import { expect } from "vitest";

import { test } from "../../../../tests/support/database.ts";
import { reconcileNow } from "@sluice/store/upstream/jobs-readers";
import { openReconciler, type TestReconciler } from "../../../../tests/support/reconcile.ts";

const NEVER = { kind: "never" } as const;

/** Starts batches that have ended, and whose webhooks never come. */
function startEnded({ simulator: { jobs } }: TestReconciler, count: number) {
  return Array.from({ length: count }, () => {
    const job = jobs.start({ kind: "batch" });
    jobs.move(job, { state: "succeeded", fault: NEVER });
    return job;
  });
}

test("absence from a list says nothing: a batch is asked for by its name, and found when it appears", async ({
  database: { db },
}) => {
  const reconciler = await openReconciler(db);
  const { jobs } = reconciler.simulator;
  const [running, hidden] = [jobs.start({ kind: "batch" }), jobs.start({ kind: "batch" })];
  hidden.isHidden = true;
  await reconciler.turn();
  expect(await reconciler.jobs()).toMatchObject([{ name: running.name, status: "waiting" }]);
  running.isHidden = true;
  await db.pool.query("UPDATE jobs SET next_check_at = now() WHERE name = $1", [running.name]);
  await reconciler.turn();
  expect(await reconciler.jobs()).toMatchObject([{ status: "waiting", state: "pending" }]);
  jobs.move(running, { state: "expired", fault: NEVER });
  jobs.move(hidden, { state: "succeeded", fault: NEVER });
  hidden.isHidden = false;
  await db.pool.query("UPDATE jobs SET next_check_at = now() WHERE name = $1", [running.name]);
  await reconciler.turn({ withFullList: true });
  await reconciler.turn();
  expect((await reconciler.events()).map(({ type }) => type).toSorted()).toEqual(["batch.expired", "batch.succeeded"]);
});

test("batches that were made before the lookback are left alone, and end the walk", async ({ database: { db } }) => {
  const reconciler = await openReconciler(db, { settings: { lookbackHours: 1 }, simulator: { maxBatchPageSize: 10 } });
  const { clock } = reconciler.simulator;
  startEnded(reconciler, 35);
  await clock.advance(600_000);
  const young = startEnded(reconciler, 5);
  // Two pages: the first has five of the old batches too, and the second has nothing else.
  expect(await reconciler.turn()).toBe(2);
  const known = await reconciler.jobs();
  expect(new Set(known.map(({ name }) => name))).toEqual(new Set(young.map(({ name }) => name)));
});

test("a walk that ends early goes on where it stood, in the hands of another worker and by a smaller budget", async ({
  database: { db },
}) => {
  const reconciler = await openReconciler(db, {
    simulator: { maxBatchPageSize: 2 },
    settings: { graceSeconds: 86_400 },
  });
  startEnded(reconciler, 100);
  const first = await reconciler.turn({ stopAfter: 10 });
  const { pageToken } = await reconciler.reader();
  expect(first).toBeLessThan(25);
  let requests = first;
  for (let turns = 0; turns < 5; turns++) requests += await reconciler.turn();
  expect(pageToken === null || typeof pageToken === "string").toBe(true);
  expect(await reconciler.jobs()).toHaveLength(100);
  expect((await reconciler.reader()).pageToken).toBeNull();
  // Fifty pages, the first page of each turn, and what the killed turn had not written down.
  expect(requests).toBeLessThan(50 + 6 + 25);
});

test("a page token that Gemini does not take any more begins the walk anew", async ({ database: { db } }) => {
  const reconciler = await openReconciler(db, {
    simulator: { maxBatchPageSize: 2 },
    settings: { graceSeconds: 86_400 },
  });
  startEnded(reconciler, 80);
  expect(await reconciler.turn()).toBe(25);
  expect((await reconciler.reader()).pageToken).not.toBeNull();
  reconciler.simulator.faults.calls.add({ failure: { kind: "error", status: 400 }, route: "batches.list", after: 1 });
  await reconciler.turn();
  expect(await reconciler.reader()).toMatchObject({ pageToken: null, problem: null });
  for (let turns = 0; turns < 3; turns++) await reconciler.turn();
  expect(await reconciler.jobs()).toHaveLength(80);
});

test("the budget of a key ends a turn, and a fifth of it is left for people", async ({ database: { db } }) => {
  const reconciler = await openReconciler(db, {
    simulator: { maxBatchPageSize: 2 },
    settings: { graceSeconds: 86_400 },
    requestsPerHour: 10,
  });
  startEnded(reconciler, 40);
  // Should the hour end meanwhile, the budget is a new one.
  const requests = await reconciler.turn();
  const { problem, pausedUntil } = await reconciler.reader();
  expect(requests).toBe(8);
  expect(problem).toContain("GEMINI_REQUESTS_PER_HOUR");
  expect(pausedUntil?.getTime()).toBeGreaterThan(Date.now());
  expect(await reconciler.jobs()).toHaveLength(16);
});

test("10 sources with 10,000 batches in the list cost some 120 requests in an hour", async ({ database: { db } }) => {
  const reconciler = await openReconciler(db, { sources: 10, settings: { graceSeconds: 86_400 } });
  startEnded(reconciler, 10_000);
  let first = 0;
  for (let turns = 0; turns < 8 && (await reconciler.jobs()).length < 10_000; turns++) first += await reconciler.turn();
  expect(await reconciler.jobs()).toHaveLength(10_000);
  expect(first).toBeLessThanOrEqual(110);
  // An hour: a look each five minutes, and once down to the end of the lookback.
  let hour = 0;
  for (let look = 0; look < 12; look++) {
    hour += await reconciler.turn({ withFullList: look === 0 });
    startEnded(reconciler, 10);
  }
  while ((await reconciler.reader()).pageToken !== null) hour += await reconciler.turn();
  expect(hour).toBeGreaterThan(100);
  expect(hour).toBeLessThanOrEqual(135);
});

test("a look that is asked for during another one begins after it, and goes as far back as was asked", async ({
  database: { db },
}) => {
  const reconciler = await openReconciler(db, { settings: { lookbackHours: 1 }, simulator: { maxBatchPageSize: 2 } });
  const { clock } = reconciler.simulator;
  const sinceMs = clock.nowMs() - 1;
  startEnded(reconciler, 4);
  await clock.advance(600_000);
  startEnded(reconciler, 2);
  await reconciler.turn();
  expect(await reconciler.jobs()).toHaveLength(2);
  const [sourceId = ""] = reconciler.sourceIds;
  const looking = reconciler.turn();
  await reconcileNow(db, sourceId, sinceMs);
  await looking;
  await reconciler.turn();
  expect(await reconciler.jobs()).toHaveLength(6);
});
