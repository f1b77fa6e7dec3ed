// Partitions exist when a row needs them, and are dropped when none of their rows is needed any more.

import { describe, expect, onTestFinished } from "vitest";

import { idFloor } from "@sluice/shared/domain/ids";

import { createTestDatabase, test } from "../../../../tests/support/database.ts";
import { makeDelivery, makeEvent, newLease, seedDeliveries, seedTarget } from "../../../../tests/support/seed.ts";
import { claimDue } from "../delivery/deliveries.ts";
import { storeEvents } from "../delivery/store-events.ts";
import { readRevision } from "./configuration-revision.ts";
import type { Database } from "./database.ts";
import { migrate } from "./migrate.ts";
import { ensurePartitions, withPartitions } from "./partitions.ts";

const DAY_MS = 86_400_000;
const noonOf = (day: string) => Date.parse(`${day}T12:00:00Z`);

/** Lists the partitions whose day begins with `days`, such as `2020` or `202001`. */
async function listPartitions(db: Database, days: string): Promise<string[]> {
  const { rows } = await db.pool.query<{ name: string }>(
    "SELECT relname AS name FROM pg_class WHERE relispartition AND relkind = 'r' AND relname ~ $1 ORDER BY 1",
    [`^(attempts|deliveries|event_terms|events|rejections)_${days}`],
  );
  return rows.map((row) => row.name);
}

const partitionsOf = (day: string) =>
  ["attempts", "deliveries", "event_terms", "events", "rejections"].map((table) => `${table}_${day}`);

/** Stores an event of a past or future day, with one delivery. */
async function storeOn(db: Database, ms: number, targetId: string) {
  const event = makeEvent({ id: idFloor(ms) });
  const delivery = makeDelivery(event, targetId);
  const revision = await readRevision(db, "targets");
  await withPartitions(db, [event.id], () => storeEvents(db, revision, [event], [delivery], newLease()));
  return { event, delivery };
}

test("uuid_floor in SQL is idFloor here: partitions are ranges of both", async ({ database: { db } }) => {
  for (const ms of [0, 1, 1_700_000_000_123, Date.now(), noonOf("2199-12-31")]) {
    const { rows } = await db.pool.query("SELECT uuid_floor($1::timestamptz) AS id", [new Date(ms).toISOString()]);
    expect(rows).toEqual([{ id: idFloor(ms) }]);
  }
});

test("a migrated database has the partitions of today and a week ahead", async () => {
  // A database of its own: the others are copies of a template that may have been made yesterday.
  const { url, db, drop } = await createTestDatabase(null);
  onTestFinished(drop);
  await migrate(url);
  for (let days = 0; days <= 7; days++) {
    const day = new Date(Date.now() + days * DAY_MS).toISOString().slice(0, 10).replaceAll("-", "");
    expect(await listPartitions(db, day)).toEqual(partitionsOf(day));
  }
});

describe("ensurePartitions", () => {
  test("makes every day of a range once, however many processes do it at once", async ({ database: { db } }) => {
    const make = () => ensurePartitions(db, noonOf("2020-02-27"), noonOf("2020-03-01"));
    await Promise.all([make(), make(), make(), make(), make()]);
    await make();
    const days = ["20200227", "20200228", "20200229", "20200301"];
    expect(await listPartitions(db, "2020")).toEqual(days.flatMap(partitionsOf).toSorted());
  });

  test("makes a day that begins and ends at midnight in UTC", async ({ database: { db } }) => {
    const targetId = await seedTarget(db);
    await ensurePartitions(db, noonOf("2021-06-01"), noonOf("2021-06-01"));
    const [first, last] = [Date.parse("2021-06-01T00:00:00.000Z"), Date.parse("2021-06-01T23:59:59.999Z")];
    for (const ms of [first, last]) await storeOn(db, ms, targetId);
    const { rows } = await db.pool.query("SELECT count(*)::int AS count FROM events_20210601");
    expect(rows).toEqual([{ count: 2 }]);
    await storeOn(db, first - 1, targetId);
    expect(await listPartitions(db, "202105")).toEqual(partitionsOf("20210531"));
  });

  test("does not stop writes and reads of other days", async ({ database: { db } }) => {
    const targetId = await seedTarget(db);
    const reader = await db.pool.connect();
    try {
      // A long report holds its lock on the parent until it ends.
      await reader.query("BEGIN");
      await reader.query("SELECT count(*) FROM events");
      await ensurePartitions(db, noonOf("2022-01-01"), noonOf("2022-01-01"));
      await seedDeliveries(db, targetId, 1);
    } finally {
      await reader.query("COMMIT");
      reader.release();
    }
  });
});

test("an event of a day without partitions is stored all the same, with its delivery", async ({ database: { db } }) => {
  const targetId = await seedTarget(db);
  const { event } = await storeOn(db, noonOf("2019-05-05"), targetId);
  expect(await listPartitions(db, "2019")).toEqual(partitionsOf("20190505"));
  const claimed = await claimDue(db, targetId, 10, newLease());
  expect(claimed.map((delivery) => delivery.eventId)).toEqual([event.id]);
});
