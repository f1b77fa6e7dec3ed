// A target that is down can have millions of pending deliveries, and the other targets must not notice. The statements
// that workers run all the time MUST read the same number of pages, however many deliveries are pending.

import { expect, onTestFinished } from "vitest";

import { newId } from "@sluice/shared/domain/ids";

import { createTestDatabase, test } from "../../../../tests/support/database.ts";
import { makeAttempt, newLease, seedDeliveries, seedTarget } from "../../../../tests/support/seed.ts";
import { type Database, openDatabase, STEADY_PLANS } from "../connection/database.ts";
import { getDelivery } from "../log/records.ts";
import { claimDue, exhaustOverdue, handBack, recordAttempts, renewLeases } from "./deliveries.ts";
import { listTargetsWithDue } from "./sweep.ts";
import { listAiling, writeOpenBreaker } from "./target-health.ts";

/** All for one target, so that the planner expects a condition on the target to exclude nothing. */
const WAITING = 100_000;
/** In pages of 8 KiB: more than some look-ups in each partition, and far less than all pending deliveries. */
const FEW_PAGES = 500;

interface Plan {
  "Shared Hit Blocks": number;
  "Shared Read Blocks": number;
}

/** Opens the database with the settings of a worker, and one connection. */
function openAsWorker(url: string): Database {
  const db = openDatabase({
    url,
    applicationName: "sluice-test",
    maxConnections: 1,
    settings: STEADY_PLANS,
    onError: () => undefined,
  });
  onTestFinished(db.close);
  return db;
}

/** Does the same, but each statement returns no rows and adds the number of pages that it read to `pages`. */
function openCounted(url: string) {
  const db = openAsWorker(url);
  const pages: number[] = [];
  const query = db.pool.query.bind(db.pool) as (
    config: object,
  ) => Promise<{ rows: { "QUERY PLAN": { Plan: Plan }[] }[] }>;
  const explain = async ({ text, values }: { text: string; values?: unknown[] }) => {
    const { rows } = await query({ text: `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${text}`, values });
    for (const { Plan: plan } of rows[0]?.["QUERY PLAN"] ?? []) {
      pages.push(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]);
    }
    return { rows: [], rowCount: 0 };
  };
  return { db: { ...db, pool: { query: explain } } as unknown as Database, pages };
}

/** Stores deliveries that were never attempted and became due one second apart. */
async function seedWaiting(db: Database, targetId: string): Promise<void> {
  await db.pool.query(
    `INSERT INTO deliveries (id, event_id, target_id, source_id, webhook_id, status, next_attempt_at, next_trigger, deadline_at)
     SELECT (left(uuid_floor(now())::text, 15) || right(gen_random_uuid()::text, 21))::uuid, gen_random_uuid(), $1,
       gen_random_uuid(), 'msg', 'pending', now() - n * interval '1 s', 'initial', now() - interval '1 hour'
     FROM generate_series(1, $2::int) n`,
    [targetId, WAITING],
  );
}

test("beside many pending deliveries, the statements that workers run all the time read few pages", async ({
  database: { db, url },
}) => {
  const down = await seedTarget(db);
  await seedWaiting(db, down);
  for (let other = 0; other < 20; other++) await seedTarget(db);
  await db.pool.query("VACUUM ANALYZE deliveries");
  const counted = openCounted(url);
  // Once before and once after its breaker opens.
  await listTargetsWithDue(counted.db);
  await writeOpenBreaker(db, down, 0);
  await listTargetsWithDue(counted.db);
  await listAiling(counted.db, Infinity);
  await exhaustOverdue(counted.db, 1_000);
  expect(counted.pages).toHaveLength(4);
  expect(Math.max(...counted.pages)).toBeLessThan(FEW_PAGES);
});

test("a statement on deliveries that are far apart reads none between them, and no other day", async () => {
  // A database of its own, without the statistics that ANALYZE made from the rows of the other test.
  const { db, url, drop } = await createTestDatabase();
  onTestFinished(drop);
  const targetId = await seedTarget(db);
  const worker = openAsWorker(url);
  const lease = newLease();
  const touch = async (ids: string[]) => {
    await renewLeases(worker, ids, lease);
    await handBack(worker, ids, lease.workerId);
    const attempts = ids.map((id) => makeAttempt(id, { next: { status: "succeeded" } }));
    await recordAttempts(worker, attempts, lease.workerId);
  };
  const look = async () => {
    await worker.pool.query("SELECT pg_stat_force_next_flush()");
    const { rows } = await worker.pool.query<{ fetched: number; scanned: number; days: number }>(
      `SELECT sum(idx_tup_fetch + seq_tup_read)::int AS fetched, count(*)::int AS days,
         count(*) FILTER (WHERE idx_scan > 0)::int AS scanned
       FROM pg_stat_user_tables WHERE relname LIKE 'deliveries\\_%'`,
    );
    return rows[0] ?? { fetched: Number.NaN, scanned: Number.NaN, days: Number.NaN };
  };
  // The plan is that of a worker that was started while the tables were empty.
  await touch([newId()]);
  const [first] = await seedDeliveries(db, targetId, 1);
  await seedWaiting(db, targetId);
  const [last] = await seedDeliveries(db, targetId, 1);
  const before = await look();
  await touch([last?.id ?? "", first?.id ?? ""]);
  const after = await look();
  expect(after.fetched - before.fetched).toBeLessThan(20);
  expect(after.days).toBeGreaterThan(5);
  // Around midnight it may be two days.
  expect(after.scanned).toBeLessThanOrEqual(2);
  expect(await getDelivery(db, first?.id ?? "")).toMatchObject({ status: "succeeded" });
});

test("behind an open breaker, a delivery past its deadline is exhausted if it was attempted", async ({
  database: { db },
}) => {
  const targetId = await seedTarget(db);
  await seedDeliveries(db, targetId, 3, { horizonMs: -3_600_000 });
  const lease = newLease();
  const claimed = await claimDue(db, targetId, 2, lease);
  const failed = claimed.map(({ id }) => makeAttempt(id, { next: { status: "pending", retryInMs: 0 } }));
  await recordAttempts(db, failed, lease.workerId);
  // A worker died while it had them in hand, and its leases have run out.
  expect(await claimDue(db, targetId, 3, newLease(0))).toHaveLength(3);
  expect(await exhaustOverdue(db, 10)).toBe(0);
  await writeOpenBreaker(db, targetId, 60_000);
  expect([await exhaustOverdue(db, 1), await exhaustOverdue(db, 10), await exhaustOverdue(db, 10)]).toEqual([1, 1, 0]);
  const { rows } = await db.pool.query(
    "SELECT status, attempt_count, leased_by FROM deliveries WHERE target_id = $1 ORDER BY 1",
    [targetId],
  );
  expect(rows).toEqual([
    { status: "exhausted", attempt_count: 1, leased_by: null },
    { status: "exhausted", attempt_count: 1, leased_by: null },
    { status: "pending", attempt_count: 0, leased_by: expect.anything() },
  ]);
});
