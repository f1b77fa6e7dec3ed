// Operations step by step, as workers make them, also when a worker dies in a step and another continues.

import { beforeEach, describe, expect } from "vitest";

import { test } from "../../../../tests/support/database.ts";
import { newLease, seedDeliveries, seedTarget } from "../../../../tests/support/seed.ts";
import type { Database } from "../connection/database.ts";
import type { DeliveryStatus } from "../schema.ts";
import { removeTarget } from "./deleted-targets.ts";
import { claimDue } from "./deliveries.ts";
import { countMatching } from "./deliveries-step.ts";
import { hasDueStep, makeNextStep, STEP_SIZE } from "./operation-step.ts";
import { type BulkFilter, cancelOperation, createOperation, getOperation } from "./operations.ts";

/** Makes deliveries of one target in a state, by default exhausted. */
async function seed(db: Database, count: number, status: DeliveryStatus = "exhausted", maxInFlight = 64) {
  const targetId = await seedTarget(db, { maxInFlight });
  const ids = (await seedDeliveries(db, targetId, count)).map(({ id }) => id);
  if (status !== "pending") {
    await db.pool.query(
      "UPDATE deliveries SET status = $2, next_attempt_at = NULL, finished_at = now(), attempt_count = 3 WHERE target_id = $1",
      [targetId, status],
    );
  }
  return { targetId, ids };
}

async function start(
  db: Database,
  filter: BulkFilter,
  kind: "retry_deliveries" | "cancel_deliveries" = "retry_deliveries",
): Promise<string> {
  return (await createOperation(db, { kind, given: {}, filter, keyId: null, keyName: "test" })).id;
}

/** Makes every step, as workers do, without the pauses. */
async function runToEnd(db: Database, maxDeliveries = STEP_SIZE): Promise<void> {
  while ((await makeNextStep(db, maxDeliveries)) !== undefined) await hurry(db);
}

const hurry = (db: Database) => db.pool.query("UPDATE operations SET next_step_at = now() WHERE state = 'running'");

async function countByStatus(db: Database, targetId: string): Promise<Record<string, number>> {
  const { rows } = await db.pool.query<{ status: string; count: number }>(
    "SELECT status, count(*)::int AS count FROM deliveries WHERE target_id = $1 GROUP BY status",
    [targetId],
  );
  return Object.fromEntries(rows.map(({ status, count }) => [status, count]));
}

/** Counts in the journal how often each delivery was reopened. */
async function countReopenings(db: Database): Promise<Map<string, number>> {
  const { rows } = await db.pool.query<{ id: string; count: number }>(
    "SELECT of.id, count(*)::int AS count FROM changes, unnest(reopened_ids) AS of (id) GROUP BY 1",
  );
  return new Map(rows.map(({ id, count }) => [id, count]));
}

beforeEach<{ database: { db: Database } }>(async ({ database: { db } }) => {
  await db.pool.query("TRUNCATE operations, deliveries, changes");
});

describe("a bulk retry", () => {
  test("brings back 2,000 deliveries, with progress from step to step", async ({ database: { db } }) => {
    const { targetId } = await seed(db, 2_000);
    const other = await seed(db, 10, "succeeded");
    const id = await start(db, { statuses: ["exhausted"] });
    expect(await hasDueStep(db)).toBe(true);
    const progress = [];
    for (;;) {
      const step = await makeNextStep(db, STEP_SIZE);
      const now = await getOperation(db, id);
      progress.push([now?.isCounted, now?.total, now?.done]);
      if (step?.isLast !== false) break;
    }
    expect(progress).toEqual([[true, 2_000, 0], ...[500, 1_000, 1_500, 2_000, 2_000].map((n) => [true, 2_000, n])]);
    expect(await getOperation(db, id)).toMatchObject({ state: "succeeded", failed: 0, finishedAt: expect.any(Date) });
    expect(await countByStatus(db, targetId)).toEqual({ pending: 2_000 });
    expect(await countByStatus(db, other.targetId)).toEqual({ succeeded: 10 });
    const { rows } = await db.pool.query(
      `SELECT DISTINCT next_trigger, backoff_start, next_attempt_at <= now() AS is_due,
         deadline_at > now() + interval '23 hours' AS has_new_deadline, finished_at
       FROM deliveries WHERE target_id = $1`,
      [targetId],
    );
    expect(rows).toEqual([
      { next_trigger: "manual", backoff_start: 3, is_due: true, has_new_deadline: true, finished_at: null },
    ]);
    expect(await hasDueStep(db)).toBe(false);
  });

  test("continues where it was when a worker dies in a step: no delivery is skipped, and none done twice", async ({
    database: { db },
  }) => {
    const { targetId, ids } = await seed(db, 100);
    const id = await start(db, { targetId, statuses: ["exhausted"] });
    await makeNextStep(db, STEP_SIZE);
    await makeNextStep(db, 30);
    // Dies at the end of the second batch, when its deliveries are changed already.
    await db.pool.query(`
      CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$;
      CREATE TRIGGER die BEFORE UPDATE ON operations FOR EACH ROW EXECUTE FUNCTION die()`);
    await expect(makeNextStep(db, 30)).rejects.toThrow();
    await db.pool.query("DROP TRIGGER die ON operations; DROP FUNCTION die");
    expect(await getOperation(db, id)).toMatchObject({ state: "running", done: 30, failures: 0 });
    expect(await countByStatus(db, targetId)).toEqual({ pending: 30, exhausted: 70 });
    await runToEnd(db, 30);
    expect(await getOperation(db, id)).toMatchObject({ state: "succeeded", total: 100, done: 100, failed: 0 });
    expect(await countReopenings(db)).toEqual(new Map(ids.map((each) => [each, 1])));
  });

  test("is made by one worker at a time, and by several together once", async ({ database: { db } }) => {
    const { targetId, ids } = await seed(db, 200);
    const id = await start(db, { targetId, statuses: ["exhausted"] });
    const client = await db.pool.connect();
    await client.query("BEGIN");
    await client.query("SELECT FROM operations WHERE id = $1 FOR UPDATE", [id]);
    expect(await makeNextStep(db, STEP_SIZE)).toBeUndefined();
    await client.query("ROLLBACK");
    client.release();
    const work = async () => {
      while ((await getOperation(db, id))?.state === "running") await makeNextStep(db, 7);
    };
    await Promise.all([work(), work(), work()]);
    expect(await getOperation(db, id)).toMatchObject({ state: "succeeded", done: 200, failed: 0 });
    expect(await countReopenings(db)).toEqual(new Map(ids.map((each) => [each, 1])));
  });

  test("leaves alone what a worker has in hand, and what has no target, and counts it as failed", async ({
    database: { db },
  }) => {
    const held = await seed(db, 3, "pending");
    await claimDue(db, held.targetId, 2, newLease());
    const gone = await seed(db, 4);
    await removeTarget(db, gone.targetId);
    const id = await start(db, { statuses: ["pending", "exhausted"] });
    await runToEnd(db);
    expect(await getOperation(db, id)).toMatchObject({ state: "succeeded", total: 7, done: 1, failed: 6 });
    expect(await countByStatus(db, gone.targetId)).toEqual({ exhausted: 4 });
  });

  test("does what its filter says, and nothing that was made later", async ({ database: { db } }) => {
    const [a, b] = [await seed(db, 5), await seed(db, 5)];
    await db.pool.query("UPDATE deliveries SET last_status_code = 503 WHERE id = ANY($1)", [
      [...a.ids.slice(0, 2), ...b.ids],
    ]);
    const statusCode = { codes: [503], classes: [], none: false };
    await start(db, { targetId: a.targetId, statuses: ["exhausted"], statusCode });
    await runToEnd(db);
    expect(await countByStatus(db, a.targetId)).toEqual({ pending: 2, exhausted: 3 });
    expect(await countByStatus(db, b.targetId)).toEqual({ exhausted: 5 });
    await start(db, { targetId: b.targetId, statuses: ["exhausted"], untilMs: 1_000 });
    await runToEnd(db);
    expect(await countByStatus(db, b.targetId)).toEqual({ exhausted: 5 });
    const early = await start(db, { targetId: b.targetId, statuses: ["exhausted"] });
    await db.pool.query("UPDATE operations SET id = '00000000-0000-7000-8000-000000000000' WHERE id = $1", [early]);
    await runToEnd(db);
    expect(await countByStatus(db, b.targetId)).toEqual({ exhausted: 5 });
  });

  test("waits for a target that has enough, and for none that is paused or broken", async ({ database: { db } }) => {
    /** Until when it waits: at least a second after the step began, or not beyond its end. */
    const step = async (change: string) => {
      const { targetId } = await seed(db, 300, "exhausted", 1);
      await db.pool.query(change, [targetId]);
      const id = await start(db, { targetId, statuses: ["exhausted"] });
      await makeNextStep(db, STEP_SIZE);
      const { rows: begun } = await db.pool.query<{ now: string }>("SELECT clock_timestamp()::text AS now");
      await makeNextStep(db, 150);
      const { rows } = await db.pool.query<{ waits: boolean; goesOn: boolean }>(
        `SELECT next_step_at >= $2::timestamptz + interval '1 s' AS waits, next_step_at <= clock_timestamp() AS "goesOn"
         FROM operations WHERE id = $1`,
        [id, begun[0]?.now],
      );
      await db.orm.transaction((orm) => cancelOperation({ orm }, id));
      return rows[0];
    };
    expect(await step("UPDATE targets SET max_in_flight = 1 WHERE id = $1")).toMatchObject({ waits: true });
    expect(await step("UPDATE targets SET max_in_flight = 2 WHERE id = $1")).toMatchObject({ goesOn: true });
    expect(await step("UPDATE targets SET state = 'paused' WHERE id = $1")).toMatchObject({ goesOn: true });
    const broken = "INSERT INTO target_health (target_id, openings, open_until) VALUES ($1, 1, now() + interval '1 h')";
    expect(await step(broken)).toMatchObject({ goesOn: true });
  });
});

describe("a bulk cancel", () => {
  test("ends what waits, and leaves what a worker has in hand", async ({ database: { db } }) => {
    const { targetId } = await seed(db, 20, "pending");
    await claimDue(db, targetId, 5, newLease());
    const id = await start(db, { targetId, statuses: ["pending"] }, "cancel_deliveries");
    await runToEnd(db, 6);
    expect(await getOperation(db, id)).toMatchObject({ state: "succeeded", total: 20, done: 15, failed: 5 });
    expect(await countByStatus(db, targetId)).toEqual({ cancelled: 15, pending: 5 });
  });
});

describe("an operation", () => {
  test("that is cancelled in the middle does no more, and what it did stays", async ({ database: { db } }) => {
    const { targetId } = await seed(db, 100);
    const id = await start(db, { targetId, statuses: ["exhausted"] });
    await makeNextStep(db, STEP_SIZE);
    await makeNextStep(db, 40);
    expect(await db.orm.transaction((orm) => cancelOperation({ orm }, id))).toMatchObject({ kind: "cancelled" });
    expect(await makeNextStep(db, STEP_SIZE)).toBeUndefined();
    expect(await getOperation(db, id)).toMatchObject({ state: "cancelled", done: 40, finishedAt: expect.any(Date) });
    expect(await countByStatus(db, targetId)).toEqual({ pending: 40, exhausted: 60 });
  });

  test("whose steps fail again and again has failed, and says why", async ({ database: { db } }) => {
    const { targetId } = await seed(db, 3);
    const id = await start(db, { targetId, statuses: ["exhausted"] });
    await makeNextStep(db, STEP_SIZE);
    await db.pool.query("ALTER TABLE deliveries ADD CONSTRAINT stuck CHECK (status <> 'pending') NOT VALID");
    for (let failures = 1; failures <= 10; failures++) {
      const { rows: begun } = await db.pool.query<{ now: string }>("SELECT clock_timestamp()::text AS now");
      await expect(makeNextStep(db, STEP_SIZE)).rejects.toThrow();
      const state = failures < 10 ? "running" : "failed";
      expect(await getOperation(db, id)).toMatchObject({ state, failures, error: expect.stringContaining("stuck") });
      // The pause is put off, for the first ones are short; its length is compared as it was.
      const { rows } = await db.pool.query<{ pause: number }>(
        `UPDATE operations SET next_step_at = next_step_at + interval '1 hour' WHERE id = $1
         RETURNING extract(epoch FROM next_step_at - interval '1 hour' - $2::timestamptz)::float8 AS pause`,
        [id, begun[0]?.now],
      );
      expect(rows[0]?.pause).toBeGreaterThanOrEqual(Math.min(60, 2 ** (failures - 1)));
      expect(await makeNextStep(db, STEP_SIZE)).toBeUndefined();
      await hurry(db);
    }
    await db.pool.query("ALTER TABLE deliveries DROP CONSTRAINT stuck");
    expect(await makeNextStep(db, STEP_SIZE)).toBeUndefined();
    expect(await countByStatus(db, targetId)).toEqual({ exhausted: 3 });
  });
});

test("a count that is out of time says where it stopped, and goes on from there", async ({ database: { db } }) => {
  const { targetId } = await seed(db, 5_010);
  const first = await countMatching(db, { targetId }, { withinMs: 0 });
  expect(first).toMatchObject({ total: 5_000, byStatus: { exhausted: 5_000 }, reached: expect.any(String) });
  const rest = await countMatching(db, { targetId }, { afterId: first.reached, withinMs: 0 });
  expect(rest).toEqual({ total: 10, byStatus: { exhausted: 10 }, reached: undefined });
});
