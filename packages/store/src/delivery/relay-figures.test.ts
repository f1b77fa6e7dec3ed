// What the metrics say of the whole relay, and what reading it costs.

import { describe, expect } from "vitest";

import { newId } from "@sluice/shared/domain/ids";

import { createTestDatabase, test } from "../../../../tests/support/database.ts";
import { makeAttempt, newLease, seedDeliveries, seedTarget } from "../../../../tests/support/seed.ts";
import { type Database, openDatabase, SEARCH_PLANS } from "../connection/database.ts";
import { listBusiestTargets, MAX_NAMED_TARGETS } from "../journal/busiest-targets.ts";
import { countChanges, readStatsLag } from "../journal/stats-count.ts";
import { claimDue, recordAttempts } from "./deliveries.ts";
import { RelayFiguresReader } from "./relay-figures.ts";
import { writeOpenBreaker } from "./target-health.ts";
import { beatWorker } from "./worker-group.ts";

const EXTRA = 50;
const ignore = () => undefined;

async function seedTargets(db: Database, count: number): Promise<string[]> {
  const { rows } = await db.pool.query<{ id: string }>(
    `INSERT INTO targets (id, name, uri, subscribed_events, timeout_seconds, max_in_flight, retry_base_seconds,
       retry_cap_seconds, retry_horizon_seconds)
     SELECT gen_random_uuid(), 'many-' || n, 'http://127.0.0.1:9/', '{*}', 30, 10, 5, 3600, 86400
     FROM generate_series(1, $1::integer) AS n RETURNING id`,
    [count],
  );
  return rows.map(({ id }) => id);
}

describe("RelayFiguresReader", () => {
  test("reads what waits, the states and the breakers by target, and the workers that are alive", async ({
    database: { db },
  }) => {
    const [busy, calm] = [await seedTarget(db, { name: "busy" }), await seedTarget(db, { name: "calm" })];
    await seedDeliveries(db, busy, 5);
    expect(await readStatsLag(db)).toBeGreaterThan(0);
    await countChanges(db);
    expect(await readStatsLag(db)).toBe(0);
    await db.pool.query("UPDATE stats_waiting SET since = since - interval '20 minutes'");
    await writeOpenBreaker(db, busy, 60_000);
    await db.pool.query("UPDATE targets SET state = 'paused' WHERE id = $1", [calm]);
    await beatWorker(db, newId(), { epoch: 0, overIds: [], waitingIds: [] });
    const dead = newId();
    await beatWorker(db, dead, { epoch: 0, overIds: [], waitingIds: [] });
    await db.pool.query("UPDATE workers SET seen_at = now() - interval '1 minute' WHERE id = $1", [dead]);

    const { targets, ...figures } = await new RelayFiguresReader(db).read();
    expect(figures).toEqual({ statsLagSeconds: 0, workers: 1 });
    expect(Object.fromEntries(targets)).toEqual({
      busy: { states: { enabled: 1 }, openBreakers: 1, waiting: 5, oldestWaitingSeconds: expect.any(Number) },
      calm: { states: { paused: 1 }, openBreakers: 0, waiting: 0, oldestWaitingSeconds: 0 },
    });
    const age = targets.get("busy")?.oldestWaitingSeconds ?? 0;
    expect([age >= 1_200, age < 3_600]).toEqual([true, true]);
  });

  test("names the busiest targets when there are too many, and gathers all others, with nothing lost", async () => {
    const { db, drop } = await createTestDatabase();
    try {
      const ids = await seedTargets(db, MAX_NAMED_TARGETS + EXTRA);
      const busy = ids.slice(EXTRA);
      const quiet = ids.slice(0, EXTRA);
      for (const id of busy) await seedDeliveries(db, id, 2);
      for (const id of quiet) await seedDeliveries(db, id, 1);
      while ((await countChanges(db))?.hasMore !== false);
      expect(new Set(await listBusiestTargets(db))).toEqual(new Set(busy));
      await db.pool.query("UPDATE targets SET state = 'disabled' WHERE id = ANY($1::uuid[])", [quiet.slice(0, 3)]);
      await writeOpenBreaker(db, quiet[4] ?? "", 60_000);

      const { targets } = await new RelayFiguresReader(db).read();
      expect(targets.size).toBe(MAX_NAMED_TARGETS + 1);
      expect(targets.get("_other")).toMatchObject({
        states: { enabled: EXTRA - 3, disabled: 3 },
        openBreakers: 1,
        waiting: EXTRA,
      });
      const waiting = [...targets.values()].reduce((sum, each) => sum + each.waiting, 0);
      expect(waiting).toBe(2 * MAX_NAMED_TARGETS + EXTRA);

      // A deleted target leaves its name to another one, although the figures of its day remain.
      await db.pool.query("DELETE FROM targets WHERE id = $1", [busy[0]]);
      const chosen = await listBusiestTargets(db);
      expect([chosen.length, chosen.includes(busy[0] ?? "")]).toEqual([MAX_NAMED_TARGETS, false]);
    } finally {
      await drop();
    }
  });

  test("reads no table of the log, and scans none that grows with it", async () => {
    const { url, db: seeding, drop } = await createTestDatabase();
    // As a gateway asks.
    const db = openDatabase({
      url,
      applicationName: "test",
      maxConnections: 10,
      settings: SEARCH_PLANS,
      onError: ignore,
    });
    try {
      const id = await seedTarget(seeding);
      for (let round = 0; round < 50; round++) await seedDeliveries(seeding, id, 10);
      while ((await countChanges(seeding))?.hasMore !== false);
      await seedDeliveries(seeding, id, 10);
      await seeding.pool.query("ANALYZE");
      // The counters of what this session reads, of which none is sent to the server before it ends.
      const countReads = async () => {
        const { rows } = await db.pool.query<{ relname: string; seq_scan: string; idx_scan: string }>(
          `SELECT relname, pg_stat_get_numscans(oid) AS seq_scan,
             (SELECT sum(pg_stat_get_numscans(indexrelid)) FROM pg_index WHERE indrelid = pg_class.oid) AS idx_scan
           FROM pg_class WHERE relkind = 'r' AND relname ~ '^(events|deliveries|attempts|rejections|changes|stats|event_)'`,
        );
        return new Map(rows.map((row) => [row.relname, row]));
      };
      const flush = () => db.pool.query("SELECT pg_stat_force_next_flush()");
      await flush();
      const before = await countReads();
      const reader = new RelayFiguresReader(db);
      for (let scrape = 0; scrape < 20; scrape++) await reader.read();
      // Each connection of the pool sends its own.
      await Promise.all(Array.from({ length: 10 }, flush));
      const after = await countReads();
      const scanned = [...after].filter(([name, { seq_scan }]) => seq_scan !== before.get(name)?.seq_scan);
      // One row of position, and the table of what waits: a row for each target and minute in which something waits.
      expect(scanned.map(([name]) => name).filter((name) => !/^stats_(?:waiting|position)$/.test(name))).toEqual([]);
      const read = [...after].filter(([name, { idx_scan }]) => idx_scan !== before.get(name)?.idx_scan);
      expect(
        read.map(([name]) => name).filter((name) => /^(events|deliveries|attempts|rejections|event_)/.test(name)),
      ).toEqual([]);
      expect(read.map(([name]) => name)).toContain("changes");
    } finally {
      await db.close();
      await drop();
    }
  });

  test("a count says what was finished, once and without tests of targets", async () => {
    const { db, drop } = await createTestDatabase();
    try {
      const id = await seedTarget(db);
      const deliveries = await seedDeliveries(db, id, 3);
      const lease = newLease();
      await claimDue(db, id, 10, lease);
      await recordAttempts(
        db,
        deliveries.map(({ id: deliveryId }, index) =>
          makeAttempt(deliveryId, { next: { status: index === 0 ? "exhausted" : "succeeded" } }),
        ),
        lease.workerId,
      );
      const run = await countChanges(db);
      expect(run?.finished.toSorted((a, b) => a.count - b.count)).toEqual([
        { targetId: id, result: "exhausted", count: 1 },
        { targetId: id, result: "succeeded", count: 2 },
      ]);
      expect((await countChanges(db))?.finished).toEqual([]);
    } finally {
      await drop();
    }
  });
});
