// A dump that was restored into another cluster brings the numbers of another cluster's transactions. The figures go on
// with each change counted once, and a live tail goes on too.

import { describe, expect } from "vitest";

import { test } from "../../../../tests/support/database.ts";
import { seedDeliveries, seedTarget } from "../../../../tests/support/seed.ts";
import type { Database } from "../connection/database.ts";
import { currentPosition, readChanges } from "./changes.ts";
import { countChanges } from "./stats-count.ts";
import { readStats, readWaiting } from "./stats.ts";

const EVER = { sinceMs: 0, untilMs: Date.now() + 86_400_000 };

/** Counts until nothing is left. @returns how often the position was found to be of another cluster. */
async function countAll(db: Database): Promise<number> {
  for (let resets = 0; ;) {
    const run = await countChanges(db);
    if (run?.wasForeign === true) resets += 1;
    if (run?.hasMore === false) return resets;
  }
}

const shift = (snapshot: string, by: number) => snapshot.replaceAll(/\d+/g, (xid) => String(Number(xid) + by));

/** Leaves the database as if its dump came from a cluster that is `ahead` transactions ahead of this one. */
async function restore(db: Database, ahead: number, cluster: number | null): Promise<void> {
  const { rows } = await db.pool.query("SELECT counted::text, counted_at::text FROM stats_position");
  await db.pool.query("UPDATE changes SET xid = (xid::text::bigint + $1)::text::xid8", [ahead]);
  await db.pool.query("UPDATE stats_position SET counted = $1", [shift(rows[0].counted, ahead)]);
  await db.pool.query("UPDATE stats_position SET counted_at = $1, cluster = $2", [rows[0].counted_at, cluster]);
}

async function passTransactions(db: Database, count: number): Promise<void> {
  for (let passed = 0; passed < count; passed++) await db.pool.query("SELECT pg_current_xact_id()");
}

describe.for([
  { title: "is far behind", ahead: 1_000_000, passed: 0, cluster: 1 },
  { title: "is far behind, and the dump does not name its cluster", ahead: 1_000_000, passed: 0, cluster: null },
  { title: "has passed the position when the figures are counted", ahead: 100, passed: 200, cluster: 1 },
  { title: "was ahead of the position", ahead: -100, passed: 0, cluster: 1 },
])("restored into a cluster that $title", ({ ahead, passed, cluster }) => {
  test("each change is counted once: before the dump, uncounted in it, and since", async ({ database: { db } }) => {
    const targetId = await seedTarget(db);
    await countAll(db);
    await seedDeliveries(db, targetId, 3);
    expect(await countAll(db)).toBe(0);
    await seedDeliveries(db, targetId, 5);
    await restore(db, ahead, cluster);
    await seedDeliveries(db, targetId, 7);
    await passTransactions(db, passed);
    expect(await countAll(db)).toBe(1);
    await seedDeliveries(db, targetId, 11);
    expect(await countAll(db)).toBe(0);
    await passTransactions(db, 2 * Math.abs(ahead % 1_000));
    expect(await countAll(db)).toBe(0);
    const query = { groupBy: "target", resolution: "day", targetId, ...EVER } as const;
    expect(await readStats(db, query)).toMatchObject([{ deliveries: 26 }]);
    expect(await readWaiting(db, targetId)).toMatchObject([{ count: 26 }]);
    // A row that is ahead would be counted a second time when this cluster gets there.
    const rowsAhead = "SELECT FROM changes WHERE xid >= pg_snapshot_xmax(pg_current_snapshot())";
    expect((await db.pool.query(rowsAhead)).rowCount).toBe(0);
  });
});

test("a live tail whose position is ahead goes on from the end", async ({ database: { db } }) => {
  const position = await currentPosition(db);
  const ahead = { ...position, from: shift(position.from, 1_000_000) };
  const targetId = await seedTarget(db);
  const first = await readChanges(db, ahead, 100);
  expect(first).toMatchObject({ changes: [], isEnd: true, wasAhead: true });
  const [delivery] = await seedDeliveries(db, targetId, 1);
  const second = await readChanges(db, first.next, 100);
  expect(second.wasAhead).toBe(false);
  const created = second.changes.flatMap(({ deliveries }) => deliveries.flatMap(({ ids }) => ids));
  expect(created).toEqual([delivery?.id]);
});
