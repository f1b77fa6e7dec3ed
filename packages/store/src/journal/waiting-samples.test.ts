// Samples of what waits: one for each minute, however many workers take it, and what charts are made of them.

import { randomUUID } from "node:crypto";

import { expect } from "vitest";

import { test } from "../../../../tests/support/database.ts";
import type { Database } from "../connection/database.ts";
import { MAX_SAMPLED_TARGETS, pruneWaitingSamples, readSampledWaiting, sampleWaiting } from "./waiting-samples.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** Makes so many deliveries of a target wait, of which the oldest was made some minutes ago. */
const wait = (db: Database, targetId: string, waiting: number, minutes: number) =>
  db.pool.query("INSERT INTO stats_waiting VALUES ($1, date_trunc('minute', now()) - $3 * interval '1 minute', $2)", [
    targetId,
    waiting,
    minutes,
  ]);

/** Makes the samples that there are older, so that another can be taken. */
const age = (db: Database, minutes: number) =>
  db.pool.query("UPDATE waiting_samples SET start = start - $1 * interval '1 minute' WHERE resolution = 'minute'", [
    minutes,
  ]);

const clear = (db: Database) => db.pool.query("TRUNCATE waiting_samples, stats_waiting");
const lastHours = (hours: number) => ({
  sinceMs: Date.now() - hours * HOUR_MS,
  untilMs: Date.now() + DAY_MS,
  targets: 10,
});

test("workers that sample at once take one sample, of each target and of all others", async ({ database: { db } }) => {
  await clear(db);
  const busy = randomUUID();
  await wait(db, busy, 100, 5);
  await wait(db, busy, 20, 2);
  for (let others = 0; others <= MAX_SAMPLED_TARGETS; others++) await wait(db, randomUUID(), 1, 30);
  await Promise.all([1, 2, 3].map(() => sampleWaiting(db)));
  await sampleWaiting(db);
  const minutes = { resolution: "minute", lengthMs: MINUTE_MS, ...lastHours(2), targets: 1 } as const;
  const rows = await readSampledWaiting(db, minutes);
  // A sample at the end of a minute can be followed by one of the next.
  const firstMs = rows[0]?.startMs;
  const sample = rows.filter(({ startMs }) => startMs === firstMs);
  expect(sample.map(({ targetId, waiting }) => [targetId, waiting])).toEqual([
    [busy, 120],
    [null, MAX_SAMPLED_TARGETS + 1],
  ]);
  expect(sample[0]?.oldestSeconds).toBeGreaterThanOrEqual(300);
  expect(sample[0]?.oldestSeconds).toBeLessThan(420);
  const { rows: stored } = await db.pool.query(
    "SELECT resolution, count(*)::int AS count FROM waiting_samples WHERE start = (SELECT min(start) FROM waiting_samples w WHERE w.resolution = waiting_samples.resolution) GROUP BY 1 ORDER BY 1",
  );
  for (const { count } of stored as { count: number }[]) expect(count).toBe(MAX_SAMPLED_TARGETS + 1);
  expect(stored).toHaveLength(3);
});

test("an interval of several samples has their average and the highest age, and zero where nothing waited", async ({
  database: { db },
}) => {
  await clear(db);
  const targetId = randomUUID();
  await sampleWaiting(db);
  await age(db, 1);
  await wait(db, targetId, 30, 10);
  await sampleWaiting(db);
  const interval = { resolution: "hour", lengthMs: 6 * HOUR_MS, ...lastHours(12) } as const;
  const rows = await readSampledWaiting(db, interval);
  const sum = (of: string | null) =>
    rows.filter((row) => row.targetId === of).reduce((all, { waiting }) => all + waiting, 0);
  // Both in one interval, or in two where one has just begun.
  expect([15, 30]).toContain(sum(targetId));
  expect(sum(null)).toBe(0);
  expect(Math.max(...rows.map(({ oldestSeconds }) => oldestSeconds))).toBeGreaterThanOrEqual(600);
  const other = await readSampledWaiting(db, { ...interval, targetId: randomUUID() });
  expect(new Set(other.map((row) => row.targetId))).toEqual(new Set([null]));
});

test("minutes are kept for two days, and hours and days for as long as the log", async ({ database: { db } }) => {
  await clear(db);
  await sampleWaiting(db);
  const old = (days: number) =>
    db.pool.query("UPDATE waiting_samples SET start = now() - $1 * interval '1 day'", [days]);
  await old(3);
  expect(await pruneWaitingSamples(db, Date.now() - 30 * DAY_MS)).toBe(1);
  await old(31);
  expect(await pruneWaitingSamples(db, Date.now() - 30 * DAY_MS)).toBe(2);
});
