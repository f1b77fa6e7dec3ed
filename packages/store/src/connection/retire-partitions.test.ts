// What is past retention goes, except what belongs to an unfinished delivery, and whoever has a transaction open.

import { setTimeout as delay } from "node:timers/promises";

import type pg from "pg";
import { describe, expect, onTestFinished } from "vitest";

import { deliveryId, idFloor } from "@sluice/shared/domain/ids";

import { createTestDatabase, type TestDatabase, test as base } from "../../../../tests/support/database.ts";
import { makeAttempt, makeDelivery, makeEvent, newLease, seedTarget } from "../../../../tests/support/seed.ts";
import { until } from "../../../../tests/support/wait.ts";
import { retryDelivery } from "../delivery/by-hand.ts";
import { replayTo } from "../delivery/replay.ts";
import { claimDue, recordAttempts } from "../delivery/deliveries.ts";
import { type NewEvent, storeEvents } from "../delivery/store-events.ts";
import { getDelivery } from "../log/records.ts";
import { readRevision } from "./configuration-revision.ts";
import type { Database } from "./database.ts";
import { ensurePartitions, withPartitions } from "./partitions.ts";
import { retirePartitions } from "./retire-partitions.ts";

const TABLES = ["attempts", "deliveries", "event_terms", "events", "rejections"];
const KEPT_TABLES = ["attempts", "deliveries", "event_terms", "events"];
const noonOf = (day: string) => Date.parse(`${day}T12:00:00Z`);
const partitionsOf = (suffix: string, tables = TABLES) => tables.map((table) => `${table}_${suffix}`);

/** A database for each test: a drop takes every old day. */
// oxlint-disable-next-line no-empty-pattern -- vitest reads what a fixture depends on off this pattern.
const test = base.extend("own", async ({}, { onCleanup }): Promise<TestDatabase> => {
  const own = await createTestDatabase();
  onCleanup(own.drop);
  return own;
});

/** Lists the partitions of before today's month, so those that a test made. */
async function listOld(db: Database): Promise<string[]> {
  const { rows } = await db.pool.query<{ name: string }>(
    "SELECT relname AS name FROM pg_class WHERE relispartition AND relkind = 'r' AND right(relname, 8) < '2024' ORDER BY 1",
  );
  return rows.map((row) => row.name);
}

/** Stores an event of a day with one delivery, and an attempt that was made on that day. */
async function storeOn(db: Database, day: string, targetId: string, changes: Partial<NewEvent> = {}) {
  const ms = noonOf(day);
  const event = makeEvent({ id: idFloor(ms + Math.floor(Math.random() * 1_000_000)), ...changes });
  const delivery = makeDelivery(event, targetId);
  const lease = newLease();
  const revision = await readRevision(db, "targets");
  await withPartitions(db, [event.id], () =>
    storeEvents(db, revision, [event], [{ ...delivery, leased: true }], lease),
  );
  const attempt = makeAttempt(delivery.id, { id: idFloor(ms + 2_000_000), next: { status: "pending", retryInMs: 0 } });
  await recordAttempts(db, [{ ...attempt, id: deliveryId(attempt.id, delivery.id) }], lease.workerId);
  return { event, id: delivery.id };
}

const finish = (db: Database, id: string) =>
  db.pool.query("UPDATE deliveries SET status = 'succeeded', next_attempt_at = NULL, leased_by = NULL WHERE id = $1", [
    id,
  ]);

const count = async (db: Database, table: string) =>
  (await db.pool.query<{ count: number }>(`SELECT count(*)::int AS count FROM ${table}`)).rows[0]?.count;

/** Begins a transaction that reads every table of the log, as a backup does. */
async function openReader(db: Database, tables = TABLES): Promise<pg.PoolClient> {
  const reader = await db.pool.connect();
  await reader.query("BEGIN");
  for (const table of tables) await reader.query(`SELECT FROM ${table} LIMIT 1`);
  onTestFinished(() => reader.release(true));
  return reader;
}

/** Retires until nothing is overdue: another transaction, such as a vacuum, may have a table locked for a moment. */
async function retireAll(db: Database, beforeMs: number): Promise<string[]> {
  const dropped: string[] = [];
  await until(async () => {
    const retired = await retirePartitions(db, beforeMs);
    dropped.push(...retired.dropped);
    return retired.overdue.length === 0;
  });
  return dropped.toSorted();
}

describe("retirePartitions", () => {
  test("drops the days before whose deliveries are finished", async ({ own: { db } }) => {
    const targetId = await seedTarget(db);
    for (const day of ["2018-01-01", "2018-01-02", "2018-01-03"])
      await finish(db, (await storeOn(db, day, targetId)).id);
    const gone = [...partitionsOf("20180101"), ...partitionsOf("20180102")].toSorted();
    expect(await retireAll(db, noonOf("2018-01-03"))).toEqual(gone);
    expect(await listOld(db)).toEqual(partitionsOf("20180103"));
  });

  test("keeps what belongs to an unfinished delivery, and only that, in one small partition", async ({
    own: { db },
  }) => {
    const targetId = await seedTarget(db, { state: "paused" });
    const labels = { team: "video" };
    const kept = [
      await storeOn(db, "2018-01-01", targetId, { labels, body: Buffer.from("first") }),
      await storeOn(db, "2018-01-03", targetId, { labels, body: Buffer.from("second") }),
    ];
    for (const day of ["2018-01-01", "2018-01-02", "2018-01-03"]) {
      await finish(db, (await storeOn(db, day, targetId, { labels })).id);
    }
    const before = await Promise.all(kept.map(({ id }) => getDelivery(db, id)));
    await retireAll(db, noonOf("2018-01-04"));
    expect(await listOld(db)).toEqual(partitionsOf("kept_20180101_20180103", KEPT_TABLES));
    expect(await Promise.all(kept.map(({ id }) => getDelivery(db, id)))).toEqual(before);
    expect(await Promise.all(KEPT_TABLES.map((table) => count(db, table)))).toEqual([2, 2, 2, 2]);

    // Everything finds them as before: a claim, a replay to another target, and a retry.
    const claimed = await claimDue(db, targetId, 10, newLease());
    expect(claimed.map(({ body }) => String(body)).toSorted()).toEqual(["first", "second"]);
    const { event } = kept[0] as (typeof kept)[0];
    const another = makeDelivery(event, await seedTarget(db));
    const replayed = await db.orm.transaction((orm) => replayTo({ orm }, [another], "free"));
    expect(replayed).toMatchObject([{ result: "created" }]);
    for (const { id } of [...kept, another]) await finish(db, id);
    expect(await db.orm.transaction((orm) => retryDelivery({ orm }, another.id))).toMatchObject({ kind: "due" });

    // The next day takes the place of the kept partition, without what is finished.
    await ensurePartitions(db, noonOf("2018-01-04"), noonOf("2018-01-04"));
    await retireAll(db, noonOf("2018-01-05"));
    expect(await listOld(db)).toEqual(partitionsOf("kept_20180101_20180104", KEPT_TABLES));
    expect(await Promise.all(KEPT_TABLES.map((table) => count(db, table)))).toEqual([0, 1, 1, 1]);
    await finish(db, another.id);
    await retireAll(db, noonOf("2018-01-05"));
    expect(await listOld(db)).toEqual([]);
  });

  test("an event of a day that is kept is stored there, and its day is not made again", async ({ own: { db } }) => {
    const targetId = await seedTarget(db);
    await storeOn(db, "2018-02-01", targetId);
    await retireAll(db, noonOf("2018-02-02"));
    await ensurePartitions(db, noonOf("2018-02-01"), noonOf("2018-02-01"));
    expect(await listOld(db)).toEqual([...partitionsOf("kept_20180201_20180201", KEPT_TABLES), "rejections_20180201"]);
    const late = await storeOn(db, "2018-02-01", targetId);
    await retireAll(db, noonOf("2018-02-02"));
    expect(await listOld(db)).toEqual(partitionsOf("kept_20180201_20180201", KEPT_TABLES));
    expect(await getDelivery(db, late.id)).toMatchObject({ status: "pending" });
  });

  test("keeps a delivery that somebody retries while its day is being dropped", async ({ own: { db } }) => {
    const targetId = await seedTarget(db);
    const days = ["2017-01-01", "2017-01-02"];
    const finished = [];
    for (const day of days) finished.push((await storeOn(db, day, targetId)).id);
    const unfinished = await storeOn(db, "2017-01-02", targetId);
    const finishing = await storeOn(db, "2017-01-02", targetId);
    for (const id of finished) await finish(db, id);
    // The drop cannot have the tables, so that it has checked them when the delivery is retried.
    const reader = await openReader(db, ["rejections"]);
    const retiring = retirePartitions(db, noonOf("2017-01-03"));
    await until(async () => {
      const waiting =
        "SELECT FROM pg_stat_activity WHERE query LIKE '%retire_days%' AND state = 'active' AND pid <> pg_backend_pid()";
      return (await db.pool.query(waiting)).rowCount !== 0;
    });
    for (const id of finished) {
      expect(await db.orm.transaction((orm) => retryDelivery({ orm }, id))).toMatchObject({ kind: "due" });
    }
    await finish(db, finishing.id);
    await reader.query("COMMIT");
    await retiring;
    await retireAll(db, noonOf("2017-01-03"));
    const ids = [...finished, unfinished.id].toSorted();
    const claimed = await claimDue(db, targetId, 10, newLease());
    expect(claimed.map(({ id }) => id).toSorted()).toEqual(ids);
    expect(await count(db, "deliveries")).toBe(3);
  });
});

describe("while a transaction has read the log and stays open", () => {
  test("drops come back later, partitions are made, and events are stored", async ({ own: { db } }) => {
    const targetId = await seedTarget(db);
    await finish(db, (await storeOn(db, "2016-01-01", targetId)).id);
    await ensurePartitions(db, noonOf("2016-01-02"), noonOf("2016-01-02"));
    const reader = await openReader(db);
    const { dropped, overdue } = await retirePartitions(db, noonOf("2016-01-03"));
    expect(dropped).toEqual([]);
    expect(overdue.map(({ day }) => day)).toEqual(["20160101", "20160102"]);
    await storeOn(db, "2016-01-05", targetId);
    await reader.query("COMMIT");
    expect(await retireAll(db, noonOf("2016-01-03"))).toHaveLength(10);
  });

  test("partitions are made beside a worker of the version before, whose drop waits", async ({ own: { db } }) => {
    await ensurePartitions(db, noonOf("2016-02-01"), noonOf("2016-02-01"));
    const reader = await openReader(db);
    const old = await db.pool.connect();
    onTestFinished(() => old.release(true));
    // "part" in ASCII: the lock under which that version makes and drops partitions.
    await old.query("SELECT pg_advisory_lock($1)", [0x7061_7274]);
    const detached = old.query("ALTER TABLE events DETACH PARTITION events_20160201 CONCURRENTLY");
    const pending = "SELECT FROM pg_inherits WHERE inhdetachpending";
    await until(async () => (await db.pool.query(pending)).rowCount === 1);
    await ensurePartitions(db, noonOf("2016-02-02"), noonOf("2016-02-05"));
    expect(await listOld(db)).toContain("events_20160205");
    const { overdue } = await retirePartitions(db, noonOf("2016-02-02"));
    expect(overdue.map(({ day }) => day)).toEqual(["20160201"]);
    await reader.query("COMMIT");
    await detached;
    await retireAll(db, noonOf("2016-02-02"));
    expect((await listOld(db)).filter((name) => name.endsWith("20160201"))).toEqual([]);
  });
});

test("a day that is locked does not keep the others from being dropped", async ({ own: { db } }) => {
  await ensurePartitions(db, noonOf("2015-01-01"), noonOf("2015-01-03"));
  const reader = await openReader(db, ["events_20150102"]);
  const { dropped, overdue } = await retirePartitions(db, noonOf("2015-01-04"));
  expect(dropped.toSorted()).toEqual([...partitionsOf("20150101"), ...partitionsOf("20150103")].toSorted());
  expect(overdue).toEqual([{ day: "20150102", reason: "days_busy" }]);
  await reader.query("COMMIT");
  expect(await retireAll(db, noonOf("2015-01-04"))).toEqual(partitionsOf("20150102"));
});

describe("what a worker of an older version left when it died", () => {
  test("a partition that is half detached, or detached, is dropped", async ({ own: { db } }) => {
    await ensurePartitions(db, noonOf("2014-01-01"), noonOf("2014-01-03"));
    await db.pool.query("ALTER TABLE attempts DETACH PARTITION attempts_20140102");
    const reader = await openReader(db, ["events"]);
    const detacher = await db.pool.connect();
    // The transaction that reads the table stops the detach half-way.
    await detacher.query("SET lock_timeout = 300");
    const error = await detacher
      .query("ALTER TABLE events DETACH PARTITION events_20140101 CONCURRENTLY")
      .catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(Error);
    detacher.release(true);
    const first = await retirePartitions(db, noonOf("2014-01-03"));
    expect(first.dropped).toEqual(["attempts_20140102"]);
    expect(first.overdue.map(({ day }) => day)).toEqual(["20140101", "20140102"]);
    await reader.query("COMMIT");
    await retireAll(db, noonOf("2014-01-03"));
    expect(await listOld(db)).toEqual(partitionsOf("20140103"));
    expect((await db.pool.query("SELECT FROM pg_inherits WHERE inhdetachpending")).rowCount).toBe(0);
  });

  test("a delivery that was retried before its partition was detached is kept", async ({ own: { db } }) => {
    const targetId = await seedTarget(db);
    const { id } = await storeOn(db, "2013-01-01", targetId);
    await db.pool.query("ALTER TABLE deliveries DETACH PARTITION deliveries_20130101");
    await retireAll(db, noonOf("2013-01-02"));
    expect((await claimDue(db, targetId, 10, newLease())).map((delivery) => delivery.id)).toEqual([id]);
    expect(await listOld(db)).toEqual(partitionsOf("kept_20130101_20130101", KEPT_TABLES));
  });
});

test("two workers that drop at once drop each day once", async ({ own: { db } }) => {
  await ensurePartitions(db, noonOf("2012-01-01"), noonOf("2012-01-04"));
  const both = await Promise.all([
    retirePartitions(db, noonOf("2012-01-05")),
    delay(5).then(() => retirePartitions(db, noonOf("2012-01-05"))),
  ]);
  const dropped = [...both.flatMap((each) => each.dropped), ...(await retireAll(db, noonOf("2012-01-05")))];
  expect(dropped.toSorted()).toEqual(
    ["20120101", "20120102", "20120103", "20120104"].flatMap((day) => partitionsOf(day)).toSorted(),
  );
});
