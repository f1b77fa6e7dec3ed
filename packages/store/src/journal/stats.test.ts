// Compares the figures with a plain count of the log, after random work of two workers at once: with retries,
// statements whose answers were lost, and runs of the count in between.

import { randomUUID } from "node:crypto";

import { describe, expect } from "vitest";

import { idTime } from "@sluice/shared/domain/ids";

import { test } from "../../../../tests/support/database.ts";
import {
  makeAttempt,
  makeDelivery,
  makeEvent,
  newLease,
  seedDeliveries,
  seedTarget,
} from "../../../../tests/support/seed.ts";
import { readRevision } from "../connection/configuration-revision.ts";
import type { Database } from "../connection/database.ts";
import { cancelDelivery, retryDelivery } from "../delivery/by-hand.ts";
import { replayTo } from "../delivery/replay.ts";
import { removeTarget } from "../delivery/deleted-targets.ts";
import { claimDue, recordAttempts } from "../delivery/deliveries.ts";
import { storeEvents } from "../delivery/store-events.ts";
import type { Resolution } from "../schema.ts";
import { countChanges, pruneStats, recountWaiting } from "./stats-count.ts";
import { readStats, readWaiting, STATS_GROUPS, type StatsGroup, type StatsQuery } from "./stats.ts";

const DAY_MS = 86_400_000;
const TYPES = ["batch.succeeded", "batch.completed", "batch.failed", "video.generated", null];
const EVER = { sinceMs: 0, untilMs: Date.now() + 10 * DAY_MS };

const pick = <T>(list: readonly T[]): T => list[Math.floor(Math.random() * list.length)] as T;
const recently = () => Date.now() - Math.floor(Math.random() * 2 * DAY_MS);

async function countAll(db: Database): Promise<void> {
  for (;;) {
    const done = await countChanges(db);
    if (done?.hasMore === false) return;
  }
}

/** Does what a worker does, in random order. */
async function work(db: Database, targets: string[], sources: string[], rounds: number): Promise<void> {
  const lease = newLease(600_000);
  for (let round = 0; round < rounds; round++) {
    const events = Array.from({ length: 1 + Math.floor(Math.random() * 8) }, () =>
      makeEvent({ sourceId: pick(sources), type: pick(TYPES), receivedAtMs: recently() }),
    );
    const deliveries = events.flatMap((event) =>
      targets.filter(() => Math.random() < 0.9).map((target) => makeDelivery(event, target)),
    );
    const revision = await readRevision(db, "targets");
    await storeEvents(db, revision, events, deliveries, lease);
    // The answer was lost, so that the worker stores the events again.
    if (Math.random() < 0.3) await storeEvents(db, revision, events, deliveries, lease);
    const claimed = await claimDue(db, pick(targets), 12, lease);
    const attempts = claimed.map(({ id, attemptCount }) => {
      const isSuccess = Math.random() < 0.5;
      const failed = pick([{ status: "exhausted" }, { status: "pending", retryInMs: 0 }] as const);
      return makeAttempt(id, {
        number: attemptCount + 1,
        startedAtMs: recently(),
        durationMs: 2 * 10 ** (Math.random() * 4),
        statusCode: isSuccess ? 200 : pick([null, 200, 503]),
        error: isSuccess ? null : "broken",
        next: isSuccess ? { status: "succeeded" } : failed,
      });
    });
    await recordAttempts(db, attempts, lease.workerId);
    if (Math.random() < 0.3) await recordAttempts(db, attempts, lease.workerId);
    const some = claimed.at(-1);
    if (some !== undefined && Math.random() < 0.7) {
      await db.orm.transaction((orm) => retryDelivery({ orm }, some.id));
    }
    const other = claimed[0];
    if (other !== undefined && Math.random() < 0.5) await cancelDelivery(db, other.id);
    const [event] = events;
    if (event !== undefined && Math.random() < 0.5) {
      const again = targets.map((target) => makeDelivery(event, target));
      await db.orm.transaction((orm) => replayTo({ orm }, again, "free"));
    }
    if (Math.random() < 0.5) await countChanges(db);
  }
}

/** Makes triggers that record every change of a status in the table `seen`. */
const WATCH = `
  CREATE TABLE seen (delivery_id uuid, status text, at timestamptz DEFAULT now());
  CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO seen VALUES (NEW.id, CASE WHEN TG_OP = 'INSERT' THEN 'created' ELSE NEW.status END); RETURN NULL;
  END $$;
  CREATE TRIGGER see_insert AFTER INSERT ON deliveries FOR EACH ROW EXECUTE FUNCTION see();
  CREATE TRIGGER see_finish AFTER UPDATE ON deliveries FOR EACH ROW
    WHEN (OLD.status IS DISTINCT FROM NEW.status AND NEW.status <> 'pending') EXECUTE FUNCTION see();
  CREATE TRIGGER see_retry AFTER UPDATE ON deliveries FOR EACH ROW
    WHEN (NEW.next_trigger = 'manual' AND NEW.backoff_start = NEW.attempt_count AND NEW.deadline_at <> OLD.deadline_at)
    EXECUTE FUNCTION see();`;

const COLUMNS: Record<StatsGroup, string> = {
  target: "target_id",
  source: "source_id",
  event_type: "event_type",
  none: "NULL::text",
};

/** Each resolution by itself, and what is put together of its rows. */
const INTERVALS: { resolution: Resolution; lengthMs: number }[] = [
  { resolution: "minute", lengthMs: 60_000 },
  { resolution: "minute", lengthMs: 600_000 },
  { resolution: "hour", lengthMs: 3_600_000 },
  { resolution: "hour", lengthMs: 6 * 3_600_000 },
  { resolution: "day", lengthMs: 24 * 3_600_000 },
];

async function recount(db: Database, { groupBy, lengthMs, ...filter }: StatsQuery) {
  const column = COLUMNS[groupBy];
  const { rows } = await db.pool.query(
    `WITH facts AS (
       SELECT 'event' AS kind, received_at AS at, NULL::uuid AS target_id, source_id, type AS event_type, NULL::float8 AS ms FROM events
       UNION ALL SELECT seen.status, at, d.target_id, d.source_id, d.event_type, NULL FROM seen JOIN deliveries d ON d.id = delivery_id
       UNION ALL SELECT CASE WHEN status_code = 200 AND error IS NULL THEN 'ok' ELSE 'bad' END, started_at, d.target_id, d.source_id,
         d.event_type, duration_ms FROM attempts a JOIN deliveries d ON d.id = a.delivery_id)
     SELECT (extract(epoch FROM date_bin($1::float8 * interval '1 ms', at, '2000-01-01Z')) * 1000)::float8 AS "startMs", ${column}::text AS "group",
       count(*) FILTER (WHERE kind = 'event')::int AS events, count(*) FILTER (WHERE kind = 'created')::int AS deliveries,
       count(*) FILTER (WHERE kind = 'succeeded')::int AS succeeded, count(*) FILTER (WHERE kind = 'exhausted')::int AS exhausted,
       count(*) FILTER (WHERE kind = 'cancelled')::int AS cancelled, count(*) FILTER (WHERE kind = 'pending')::int AS retried,
       count(*) FILTER (WHERE kind = 'ok')::int AS "attemptsSucceeded", count(*) FILTER (WHERE kind = 'bad')::int AS "attemptsFailed",
       CASE WHEN count(ms) > 0 THEN percentile_disc(ARRAY[0.5, 0.9, 0.99]) WITHIN GROUP (ORDER BY ms) END AS exact
     FROM facts
     WHERE ($2::uuid IS NULL OR target_id = $2) AND ($3::uuid IS NULL OR source_id = $3)
       AND ($4::text[] IS NULL OR event_type = ANY($4)) AND ${groupBy === "target" ? "target_id IS NOT NULL" : "true"}
     GROUP BY 1, ${column} ORDER BY 1, ${column}`,
    [lengthMs, filter.targetId ?? null, filter.sourceId ?? null, typesOf(filter.eventType)],
  );
  return rows as (Record<string, unknown> & { exact: number[] | null })[];
}

function typesOf(type: string | undefined) {
  if (type === "batch.*") return TYPES.filter((each) => each?.startsWith("batch."));
  if (type === "batch.completed") return ["batch.completed", "batch.succeeded"];
  return type === undefined ? null : [type];
}

describe("after random work of two workers", () => {
  const sources = [randomUUID(), randomUUID()];
  let targets: string[] = [];

  test("each figure is what the log says, in every group, interval and filter", async ({ database: { db } }) => {
    await db.pool.query(WATCH);
    targets = await Promise.all([seedTarget(db), seedTarget(db), seedTarget(db)]);
    await Promise.all([work(db, targets, sources, 40), work(db, targets, sources, 40)]);
    await removeTarget(db, targets[2] ?? "");
    // Three runs at once, as workers make them.
    await Promise.all([countAll(db), countAll(db), countAll(db)]);

    const filters = [
      {},
      { targetId: targets[0] },
      { sourceId: sources[1] },
      { eventType: "batch.*" },
      { eventType: "batch.completed" },
      { targetId: targets[1], eventType: "video.generated", sourceId: sources[0] },
    ];
    let compared = 0;
    for (const groupBy of STATS_GROUPS) {
      for (const interval of INTERVALS) {
        for (const filter of filters) {
          const query = { groupBy, ...interval, ...EVER, ...filter };
          const [figures, log] = [await readStats(db, query), await recount(db, query)];
          const counts = log.map(({ exact, ...row }) => ({
            ...row,
            latency: exact === null ? null : expect.anything(),
          }));
          expect(figures).toEqual(counts);
          for (const [index, { exact }] of log.entries()) {
            const latency = figures[index]?.latency ?? null;
            if (latency === null || exact === null) continue;
            for (const [at, shown] of [latency.p50, latency.p90, latency.p99].entries()) {
              expect(Math.abs(shown / (exact[at] ?? 0) - 1)).toBeLessThan(0.13);
            }
          }
          compared += figures.length;
        }
      }
    }
    expect(compared).toBeGreaterThan(1_000);
  });

  test("the waiting figures are the pending deliveries, and since when they wait", async ({ database: { db } }) => {
    const { rows } = await db.pool.query(
      `SELECT target_id AS "targetId", count(*)::int AS count, date_trunc('minute', min(created_at)) AS "oldestSince"
       FROM deliveries WHERE status = 'pending' GROUP BY 1 ORDER BY 1`,
    );
    expect(rows.length).toBeGreaterThan(1);
    expect(await readWaiting(db)).toEqual(rows);
    expect(await readWaiting(db, targets[0])).toEqual(rows.filter((row) => row.targetId === targets[0]));
  });

  test("a change by hand is found when the pending deliveries are counted again", async ({ database: { db } }) => {
    await db.pool.query("UPDATE deliveries SET status = 'cancelled', next_attempt_at = NULL WHERE target_id = $1", [
      targets[0],
    ]);
    await countAll(db);
    expect(await readWaiting(db, targets[0])).toHaveLength(1);
    await recountWaiting(db);
    expect(await readWaiting(db, targets[0])).toHaveLength(0);
    expect(await readWaiting(db, targets[1])).toHaveLength(1);
  });
});

test("a transaction that commits late is counted, once", async ({ database: { db } }) => {
  const targetId = await seedTarget(db);
  const late = await db.pool.connect();
  await late.query("BEGIN");
  await late.query("INSERT INTO changes (created_ids) VALUES ('{}') RETURNING xid");
  const [delivery] = await seedDeliveries(db, targetId, 1);
  const id = delivery?.id ?? "";
  await countAll(db);
  expect(await readWaiting(db, targetId)).toMatchObject([{ count: 1 }]);
  await late.query("UPDATE deliveries SET status = 'cancelled', next_attempt_at = NULL WHERE id = $1", [id]);
  await late.query("INSERT INTO changes (cancelled_ids) VALUES (ARRAY[$1::uuid])", [id]);
  await countAll(db);
  await late.query("COMMIT");
  late.release();
  await countAll(db);
  await countAll(db);
  expect(await readWaiting(db, targetId)).toEqual([]);
  const query = { groupBy: "target", resolution: "day", targetId, ...EVER } as const;
  expect(await readStats(db, query)).toMatchObject([{ deliveries: 1, cancelled: 1 }]);
});

test("a backlog is counted in parts, with nothing lost between them", async ({ database: { db } }) => {
  const targetId = await seedTarget(db);
  const [delivery] = await seedDeliveries(db, targetId, 1);
  await countAll(db);
  await Promise.all(
    Array.from({ length: 4 }, () =>
      db.pool.query(
        `DO $$ BEGIN FOR i IN 1..600 LOOP INSERT INTO changes (retried_ids) VALUES (ARRAY['${delivery?.id}'::uuid]); END LOOP; END $$`,
      ),
    ),
  );
  // A part ends before the oldest transaction that still runs, also one of another database.
  const newer = "SELECT FROM changes WHERE xid >= pg_snapshot_xmin(pg_current_snapshot())";
  await expect.poll(async () => (await db.pool.query(newer)).rowCount).toBe(0);
  expect(await countChanges(db)).toMatchObject({ hasMore: true, wasForeign: false });
  await countAll(db);
  const query = { groupBy: "target", resolution: "day", targetId, ...EVER } as const;
  expect(await readStats(db, query)).toMatchObject([{ deliveries: 1, retried: 2_400 }]);
});

test("old figures and journal rows are deleted, but no row that was not counted yet", async ({ database: { db } }) => {
  const targetId = await seedTarget(db);
  const [delivery] = await seedDeliveries(db, targetId, 1);
  await countAll(db);
  await db.pool.query("UPDATE changes SET at = now() - interval '25 hours'");
  await db.pool.query("INSERT INTO changes (at, retried_ids) VALUES (now() - interval '25 hours', ARRAY[$1::uuid])", [
    delivery?.id,
  ]);
  await pruneStats(db, idTime(delivery?.id ?? "") - DAY_MS);
  expect((await db.pool.query("SELECT FROM changes")).rowCount).toBe(1);
  await countAll(db);
  await pruneStats(db, Date.now() + DAY_MS);
  expect((await db.pool.query("SELECT FROM changes")).rowCount).toBe(0);
  const left = await db.pool.query("SELECT DISTINCT resolution FROM stats");
  expect(left.rows).toEqual([{ resolution: "minute" }]);
});
