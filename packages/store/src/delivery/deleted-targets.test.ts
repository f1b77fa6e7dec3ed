// The pending deliveries of a deleted target are cancelled in batches, each once, and none of another target.

import { describe, expect } from "vitest";

import { newId } from "@sluice/shared/domain/ids";

import { test } from "../../../../tests/support/database.ts";
import { makeDelivery, makeEvent, newLease, seedDeliveries, seedTarget } from "../../../../tests/support/seed.ts";
import { until } from "../../../../tests/support/wait.ts";
import { readRevision } from "../connection/configuration-revision.ts";
import type { Database } from "../connection/database.ts";
import { countChanges } from "../journal/stats-count.ts";
import { readStats, readWaiting } from "../journal/stats.ts";
import { cancelForDeleted, pruneDeletedTargets, removeTarget } from "./deleted-targets.ts";
import { claimDue } from "./deliveries.ts";
import { storeEvents } from "./store-events.ts";

const BACKLOG = 2_500;

async function countPending(db: Database, targetId: string): Promise<number> {
  const { rows } = await db.pool.query<{ count: number }>(
    "SELECT count(*)::int AS count FROM deliveries WHERE target_id = $1 AND status = 'pending'",
    [targetId],
  );
  return rows[0]?.count ?? -1;
}

async function isNoted(db: Database, targetId: string): Promise<boolean> {
  const { rowCount } = await db.pool.query("SELECT FROM deleted_targets WHERE target_id = $1", [targetId]);
  return rowCount === 1;
}

/** Counts the cancellations in the journal of a target's deliveries, and the deliveries that they name. */
async function readCancelled(db: Database, targetId: string): Promise<{ all: number; different: number }> {
  const { rows } = await db.pool.query<{ all: number; different: number }>(
    `SELECT count(*)::int AS all, count(DISTINCT d.id)::int AS different
     FROM changes CROSS JOIN unnest(cancelled_ids) AS noted(id) JOIN deliveries d ON d.id = noted.id WHERE target_id = $1`,
    [targetId],
  );
  return rows[0] ?? { all: -1, different: -1 };
}

async function seedDeleted(db: Database, count: number): Promise<string> {
  const targetId = await seedTarget(db);
  await seedDeliveries(db, targetId, count);
  expect(await removeTarget(db, targetId)).toBe(true);
  return targetId;
}

describe("cancelForDeleted", () => {
  test("cancels a backlog in batches, each delivery once, and nothing of other targets", async ({
    database: { db },
  }) => {
    const otherId = await seedTarget(db);
    await seedDeliveries(db, otherId, 3);
    const targetId = await seedTarget(db);
    await seedDeliveries(db, targetId, BACKLOG - 2);
    // One delivery is in hand and one waits for a retry: both are due later.
    await seedDeliveries(db, targetId, 1, { leased: true });
    const [retried] = await seedDeliveries(db, targetId, 1);
    await db.pool.query(
      "UPDATE deliveries SET next_attempt_at = now() + interval '1 hour', last_error = 'timeout: 20 s' WHERE id = $1",
      [retried?.id],
    );

    expect(await removeTarget(db, targetId)).toBe(true);
    expect(await countPending(db, targetId)).toBe(BACKLOG - 1_000);
    expect(await cancelForDeleted(db)).toEqual({ cancelled: 1_000, hasMore: true });
    expect(await cancelForDeleted(db)).toEqual({ cancelled: 500, hasMore: false });
    expect(await cancelForDeleted(db)).toEqual({ cancelled: 0, hasMore: false });
    expect([await countPending(db, targetId), await countPending(db, otherId)]).toEqual([0, 3]);
    const { rows: errors } = await db.pool.query(
      "SELECT last_error, count(*)::int AS count FROM deliveries WHERE target_id = $1 GROUP BY 1 ORDER BY 2",
      [targetId],
    );
    const reason = "deleted: the target was deleted before the delivery was finished";
    expect(errors).toEqual([
      { last_error: `${reason}; before: timeout: 20 s`, count: 1 },
      { last_error: reason, count: BACKLOG - 1 },
    ]);

    expect(await readCancelled(db, targetId)).toEqual({ all: BACKLOG, different: BACKLOG });
    while ((await countChanges(db))?.hasMore !== false);
    const ever = { sinceMs: 0, untilMs: Date.now() + 86_400_000 };
    const figures = await readStats(db, { groupBy: "target", resolution: "day", ...ever });
    const cancelledOf = (id: string) =>
      figures.filter(({ group }) => group === id).reduce((sum, { cancelled }) => sum + cancelled, 0);
    expect([cancelledOf(targetId), cancelledOf(otherId)]).toEqual([BACKLOG, 0]);
    expect(JSON.stringify(await readWaiting(db))).not.toContain(targetId);
  });

  test("takes other deliveries than another worker's at the same moment, and waits for nobody", async ({
    database: { db },
  }) => {
    const targetId = await seedDeleted(db, BACKLOG);
    await db.orm.transaction(async (orm) => {
      expect(await cancelForDeleted({ orm })).toEqual({ cancelled: 1_000, hasMore: true });
      expect(await cancelForDeleted(db)).toEqual({ cancelled: 500, hasMore: false });
    });
    expect(await countPending(db, targetId)).toBe(0);
    expect(await readCancelled(db, targetId)).toEqual({ all: BACKLOG, different: BACKLOG });
  });

  test("cancels each delivery once when workers race", async ({ database: { db } }) => {
    const targetIds = [await seedDeleted(db, BACKLOG), await seedDeleted(db, BACKLOG)];
    const work = async () => {
      let cancelled = 0;
      for (;;) {
        const done = await cancelForDeleted(db);
        cancelled += done.cancelled;
        if (!done.hasMore) return cancelled;
      }
    };
    const [one, other] = await Promise.all([work(), work()]);
    // A worker does not see the rows that the other had locked last, so that some may be left.
    expect(one + other + (await work())).toBe(2 * (BACKLOG - 1_000));
    for (const targetId of targetIds) {
      expect(await readCancelled(db, targetId)).toEqual({ all: BACKLOG, different: BACKLOG });
    }
  });

  test("finds the delivery of an intake that began before the deletion and ended after it", async ({
    database: { db },
  }) => {
    const targetId = await seedTarget(db);
    const event = makeEvent();
    const blocker = await db.pool.connect();
    // Stops the intake after it has read the configuration.
    await blocker.query("BEGIN");
    await blocker.query("INSERT INTO event_keys (source_id, webhook_id, event_id) VALUES ($1, $2, $3)", [
      event.sourceId,
      event.webhookId,
      newId(),
    ]);
    const storing = storeEvents(
      db,
      await readRevision(db, "targets"),
      [event],
      [makeDelivery(event, targetId)],
      newLease(),
    );
    const condition = "datname = current_database() AND wait_event_type = 'Lock'";
    const waiting = async () => (await db.pool.query(`SELECT FROM pg_stat_activity WHERE ${condition}`)).rowCount;
    await until(waiting, { what: "the intake to wait for a lock" });
    expect(await removeTarget(db, targetId)).toBe(true);
    expect(await cancelForDeleted(db)).toEqual({ cancelled: 0, hasMore: false });
    await blocker.query("ROLLBACK");
    blocker.release();
    expect(await storing).toMatchObject({ kind: "stored" });

    expect(await countPending(db, targetId)).toBe(1);
    expect(await cancelForDeleted(db)).toEqual({ cancelled: 1, hasMore: false });
    expect(await countPending(db, targetId)).toBe(0);
  });
});

test("a note stays for a day, and while deliveries are left", async ({ database: { db } }) => {
  const [fresh, done, left] = [await seedDeleted(db, 1), await seedDeleted(db, 1), await seedDeleted(db, 1_001)];
  await db.pool.query("UPDATE deleted_targets SET deleted_at = now() - interval '25 hours' WHERE target_id = ANY($1)", [
    [done, left],
  ]);
  const noted = () => Promise.all([fresh, done, left].map((id) => isNoted(db, id)));
  await pruneDeletedTargets(db);
  expect(await noted()).toEqual([true, false, true]);
  expect((await cancelForDeleted(db)).cancelled).toBe(1);
  await pruneDeletedTargets(db);
  expect(await noted()).toEqual([true, false, false]);
});

test("nobody claims from the backlog of a deleted target", async ({ database: { db } }) => {
  const targetId = await seedDeleted(db, 1_001);
  expect(await countPending(db, targetId)).toBe(1);
  expect(await claimDue(db, targetId, 10, newLease())).toEqual([]);
});

test("a target is deleted although its deliveries are locked, and those are cancelled later", async ({
  database: { db },
}) => {
  const targetId = await seedTarget(db);
  await seedDeliveries(db, targetId, 2);
  await db.orm.transaction(async (tx) => {
    await tx.execute("SELECT FROM deliveries WHERE status = 'pending' ORDER BY id DESC LIMIT 1 FOR UPDATE");
    expect(await removeTarget(db, targetId)).toBe(true);
    expect(await countPending(db, targetId)).toBe(1);
  });
  await cancelForDeleted(db);
  expect(await countPending(db, targetId)).toBe(0);
});
