// Replays of many events step by step, as workers make them, also when a worker dies in a step, when targets and
// partitions go away meanwhile, and when filters and bodies are heavy.

import { beforeEach, describe, expect } from "vitest";

import { deliveryId, idFloor } from "@sluice/shared/domain/ids";

import { createTestDatabase, test } from "../../../../tests/support/database.ts";
import { makeEvent, newLease, seedTarget } from "../../../../tests/support/seed.ts";
import { readRevision } from "../connection/configuration-revision.ts";
import type { Database } from "../connection/database.ts";
import { withPartitions } from "../connection/partitions.ts";
import type { ReplayState } from "../schema.ts";
import { removeTarget } from "./deleted-targets.ts";
import { maxDue } from "./operation-pace.ts";
import { makeNextStep, STEP_SIZE } from "./operation-step.ts";
import { createOperation, getOperation, type ReplayFilter } from "./operations.ts";
import { previewEvents } from "./replay-step.ts";
import { newReplay } from "./replay-tallies.ts";
import { type NewEvent, storeEvents } from "./store-events.ts";

const NONE = { created: 0, retried: 0, skipped: 0, not_matched: 0, filter_errors: 0, left_out: 0 };

/** Stores events without deliveries. @returns their ids, in order. */
async function seedEvents(db: Database, count: number, make: (n: number) => Partial<NewEvent> = () => ({})) {
  const events = Array.from({ length: count }, (_, n) => makeEvent(make(n)));
  const ids = events.map(({ id }) => id);
  for (let from = 0; from < count; from += 500) {
    const part = events.slice(from, from + 500);
    await withPartitions(db, ids, async () => storeEvents(db, await readRevision(db, "targets"), part, [], newLease()));
  }
  return ids.toSorted();
}

interface Request extends Partial<Pick<ReplayState, "again" | "match_subscription" | "expression">> {
  filter?: ReplayFilter;
}

const makeReplay = (targetIds: string[], { again = false, match_subscription = true, expression = null }: Request) =>
  newReplay({ again, match_subscription, expression }, targetIds);

async function start(db: Database, targetIds: string[], request: Request = {}): Promise<string> {
  const replay = makeReplay(targetIds, request);
  const filter = request.filter ?? {};
  return (await createOperation(db, { kind: "replay_events", given: {}, filter, replay, keyId: null, keyName: "test" }))
    .id;
}

/** Makes every step, as workers do, without the pauses. */
async function runToEnd(db: Database, maxDeliveries = STEP_SIZE): Promise<void> {
  while ((await makeNextStep(db, maxDeliveries)) !== undefined) {
    await db.pool.query("UPDATE operations SET next_replay_step_at = now() WHERE state = 'running'");
  }
}

async function deliveredTo(db: Database, targetId: string): Promise<string[]> {
  const { rows } = await db.pool.query<{ event_id: string }>(
    "SELECT event_id FROM deliveries WHERE target_id = $1 ORDER BY event_id",
    [targetId],
  );
  return rows.map((row) => row.event_id);
}

beforeEach<{ database: { db: Database } }>(async ({ database: { db } }) => {
  await db.pool.query("TRUNCATE operations, deliveries, events, event_keys, changes");
});

describe("a replay of many events", () => {
  test("makes every delivery once, oldest first and with progress, and the journal has each", async ({
    database: { db },
  }) => {
    const ids = await seedEvents(db, 1_200);
    const targetId = await seedTarget(db, { maxInFlight: 1_000 });
    const id = await start(db, [targetId]);
    const progress = [];
    for (;;) {
      const step = await makeNextStep(db, STEP_SIZE);
      const now = await getOperation(db, id);
      progress.push([now?.isCounted, now?.total, now?.done]);
      expect(await deliveredTo(db, targetId)).toEqual(ids.slice(0, now?.done));
      if (step?.isLast !== false) break;
    }
    expect(progress).toEqual([0, 500, 1_000, 1_200].map((done) => [true, 1_200, done]));
    expect(await getOperation(db, id)).toMatchObject({
      state: "succeeded",
      failed: 0,
      finishedAt: expect.any(Date),
      replay: { matched: 1_200, targets: [{ target: targetId, ...NONE, created: 1_200 }] },
    });
    const { rows } = await db.pool.query("SELECT created.id FROM changes, unnest(created_ids) AS created (id)");
    expect(new Set(rows.map((row: { id: string }) => row.id))).toEqual(
      new Set(ids.map((event) => deliveryId(event, targetId))),
    );
    expect(rows).toHaveLength(1_200);
  });

  test("continues where it was when a worker dies in a step: no event is skipped, and none is counted twice", async ({
    database: { db },
  }) => {
    const ids = await seedEvents(db, 100);
    const targetIds = [await seedTarget(db), await seedTarget(db)];
    const id = await start(db, targetIds);
    await makeNextStep(db, STEP_SIZE);
    await makeNextStep(db, 60);
    // Dies at the end of the second batch, when its deliveries are made already.
    await db.pool.query(`
      CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$;
      CREATE TRIGGER die BEFORE UPDATE ON operations FOR EACH ROW EXECUTE FUNCTION die()`);
    await expect(makeNextStep(db, 60)).rejects.toThrow();
    await db.pool.query("DROP TRIGGER die ON operations; DROP FUNCTION die");
    expect(await getOperation(db, id)).toMatchObject({ state: "running", done: 30, failures: 0 });
    await runToEnd(db, 60);
    expect(await getOperation(db, id)).toMatchObject({
      state: "succeeded",
      done: 100,
      replay: { matched: 100, targets: targetIds.map((target) => ({ target, ...NONE, created: 100 })) },
    });
    for (const target of targetIds) expect(await deliveredTo(db, target)).toEqual(ids);
  });

  test("beside another of the same events: each delivery is made once, and only one of them counts it", async ({
    database: { db },
  }) => {
    const ids = await seedEvents(db, 200);
    const targetId = await seedTarget(db);
    const started = [await start(db, [targetId]), await start(db, [targetId])];
    const work = async () => {
      for (;;) {
        const found = await Promise.all(started.map((id) => getOperation(db, id)));
        if (found.every((operation) => operation?.state === "succeeded")) return;
        await makeNextStep(db, 7);
      }
    };
    await Promise.all([work(), work(), work()]);
    expect(await deliveredTo(db, targetId)).toEqual(ids);
    const tallies = (await Promise.all(started.map((id) => getOperation(db, id)))).map(
      (one) => one?.replay?.targets[0],
    );
    const sum = (of: "created" | "skipped") => tallies.reduce((total, tally) => total + (tally?.[of] ?? 0), 0);
    expect([sum("created"), sum("skipped")]).toEqual([200, 200]);
  });

  test("takes no event that came after it was started", async ({ database: { db } }) => {
    await seedEvents(db, 3);
    const targetId = await seedTarget(db);
    const id = await start(db, [targetId]);
    await db.pool.query("UPDATE operations SET id = '00000000-0000-7000-8000-000000000000' WHERE id = $1", [id]);
    await runToEnd(db);
    expect(await deliveredTo(db, targetId)).toEqual([]);
  });

  test("leaves out a target that is disabled or deleted meanwhile, and fails when none is left", async ({
    database: { db },
  }) => {
    await seedEvents(db, 30);
    const [kept, deleted, disabled] = [await seedTarget(db), await seedTarget(db), await seedTarget(db)];
    const id = await start(db, [kept, deleted, disabled]);
    await makeNextStep(db, STEP_SIZE);
    await makeNextStep(db, 30);
    await removeTarget(db, deleted);
    await db.pool.query("UPDATE targets SET state = 'disabled' WHERE id = $1", [disabled]);
    await makeNextStep(db, 30);
    expect((await getOperation(db, id))?.replay?.targets).toEqual([
      { target: kept, ...NONE, created: 20 },
      { target: deleted, ...NONE, created: 10, left_out: 10 },
      { target: disabled, ...NONE, created: 10, left_out: 10 },
    ]);
    await removeTarget(db, kept);
    expect(await makeNextStep(db, 30)).toMatchObject({ isLast: true, error: expect.stringContaining("disabled") });
    expect(await getOperation(db, id)).toMatchObject({
      state: "failed",
      done: 20,
      finishedAt: expect.any(Date),
      error: expect.stringContaining("disabled or deleted"),
    });
  });

  test("goes by the bytes of bodies when a filter reads them, and reads none when no filter does", async ({
    database: { db },
  }) => {
    const body = Buffer.alloc(3 * 1024 * 1024, " ");
    body.write("{}");
    const ids = await seedEvents(db, 4, () => ({ body }));
    const [all, odd] = [await seedTarget(db), await seedTarget(db, { filter: 'event.type == "batch.succeeded"' })];
    const filtered = await start(db, [odd]);
    await makeNextStep(db, STEP_SIZE);
    const reached = [];
    for (let n = 0; n < 4; n++) {
      await makeNextStep(db, STEP_SIZE);
      reached.push((await getOperation(db, filtered))?.done);
    }
    expect(reached).toEqual([1, 2, 3, 4]);
    expect(await getOperation(db, filtered)).toMatchObject({ state: "succeeded", total: 4 });
    expect(await deliveredTo(db, odd)).toEqual(ids);
    const plain = await start(db, [all]);
    await makeNextStep(db, STEP_SIZE);
    await makeNextStep(db, STEP_SIZE);
    expect(await getOperation(db, plain)).toMatchObject({ state: "succeeded", done: 4 });
    const preview = await previewEvents(db, {}, makeReplay([odd], {}), { withinMs: 60_000 });
    expect(preview).toMatchObject({ total: 4, isComplete: true, replay: { targets: [{ ...NONE, skipped: 4 }] } });
  });

  test("ends a step when its filters took long, and goes on with the next event", async ({ database: { db } }) => {
    const numbers = JSON.stringify({ data: { items: Array.from({ length: 400 }, (_, n) => n) } });
    await seedEvents(db, 500, () => ({ body: Buffer.from(numbers) }));
    const targetId = await seedTarget(db);
    // Each event takes some milliseconds.
    const expression = "event.data.items.all(a, event.data.items.filter(b, b < 5).size() == 5)";
    const id = await start(db, [targetId], { expression });
    await makeNextStep(db, STEP_SIZE);
    await makeNextStep(db, STEP_SIZE);
    const first = await getOperation(db, id);
    const through = (first?.done ?? 0) + (first?.failed ?? 0);
    expect(through).toBeGreaterThan(0);
    expect(through).toBeLessThan(500);
    await runToEnd(db);
    const ended = await getOperation(db, id);
    expect((ended?.done ?? 0) + (ended?.failed ?? 0)).toBe(500);
    expect(ended?.state).toBe("succeeded");
  });

  test("pauses while a target has more due than it takes", async ({ database: { db } }) => {
    await seedEvents(db, maxDue(1) + 100);
    const waits = async (maxInFlight: number) => {
      const id = await start(db, [await seedTarget(db, { maxInFlight })]);
      await makeNextStep(db, STEP_SIZE);
      await makeNextStep(db, maxDue(1) + 1);
      const { rows } = await db.pool.query<{ waits: boolean }>(
        "SELECT next_replay_step_at > clock_timestamp() AS waits FROM operations WHERE id = $1",
        [id],
      );
      await db.pool.query("UPDATE operations SET state = 'cancelled' WHERE id = $1", [id]);
      return rows[0]?.waits;
    };
    expect(await waits(1)).toBe(true);
    expect(await waits(64)).toBe(false);
  });

  test("is not due for a worker of the version before, which would cancel deliveries for it", async ({
    database: { db },
  }) => {
    await seedEvents(db, 3);
    const targetId = await seedTarget(db);
    const id = await start(db, [targetId]);
    // What the version before asks.
    const isDueThere = async () =>
      (
        await db.pool.query(
          "SELECT FROM operations WHERE state = 'running' AND next_step_at <= now() + interval '1 year'",
        )
      ).rowCount;
    expect(await isDueThere()).toBe(0);
    await makeNextStep(db, STEP_SIZE);
    expect(await isDueThere()).toBe(0);
    // A step that fails is due again later, and still not there.
    await db.pool.query("ALTER TABLE deliveries ADD CONSTRAINT stuck CHECK (status <> 'pending') NOT VALID");
    await expect(makeNextStep(db, STEP_SIZE)).rejects.toThrow();
    await db.pool.query("ALTER TABLE deliveries DROP CONSTRAINT stuck");
    expect(await isDueThere()).toBe(0);
    expect(await getOperation(db, id)).toMatchObject({ state: "running", failures: 1, error: expect.any(String) });
    expect(await makeNextStep(db, STEP_SIZE)).toBeUndefined();
    await db.pool.query("UPDATE operations SET next_replay_step_at = now()");
    await runToEnd(db);
    expect(await getOperation(db, id)).toMatchObject({ state: "succeeded", done: 3, error: null });
  });
});

test("a replay goes past a day whose deliveries retention drops meanwhile", async ({ onTestFinished }) => {
  const { db, drop } = await createTestDatabase();
  onTestFinished(drop);
  const noon = Date.parse("2018-01-01T12:00:00Z");
  const old = await seedEvents(db, 3, (n) => ({ id: idFloor(noon + n) }));
  const next = await seedEvents(db, 2, (n) => ({ id: idFloor(noon + 86_400_000 + n) }));
  const targetId = await seedTarget(db);
  const id = await start(db, [targetId]);
  // The state between the two drops of retention: the deliveries of a day are dropped, its events are not yet.
  await db.pool.query("ALTER TABLE deliveries DETACH PARTITION deliveries_20180101");
  await runToEnd(db);
  expect(await getOperation(db, id)).toMatchObject({
    state: "succeeded",
    total: 5,
    done: 5,
    replay: { matched: 5, targets: [{ target: targetId, ...NONE, created: 2, left_out: 3 }] },
  });
  expect(await deliveredTo(db, targetId)).toEqual(next);
  expect(old).toHaveLength(3);
});
