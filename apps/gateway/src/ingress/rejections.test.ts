import { describe, expect, onTestFinished } from "vitest";

import { formatId, newId } from "@sluice/shared/domain/ids";
import { openLog } from "@sluice/shared/runtime/log";
import { type Database, openDatabase } from "@sluice/store/connection/database";
import { listRejections, type RejectionRecord } from "@sluice/store/log/rejections";

import { test } from "../../../../tests/support/database.ts";
import { until } from "../../../../tests/support/wait.ts";
import { Metrics } from "../metrics.ts";
import { type RejectedRequest, RejectionLog } from "./rejections.ts";

const WINDOW_MS = 10_000;

/** A log of rejections with a clock that the test sets, and a source of its own. */
function openRejections(db: Database) {
  const clock = { ms: 1_000 };
  const metrics = new Metrics();
  const logLines: string[] = [];
  const log = openLog("gateway", "trace", { write: (line) => void logLines.push(line) });
  const rejections = new RejectionLog({ db, metrics, log, nowMs: () => clock.ms });
  onTestFinished(() => rejections.close());
  const sourceId = newId();
  const record = (changes: Partial<RejectedRequest> = {}) =>
    rejections.record({
      sourceId,
      sourceName: "gemini",
      reason: "signature_mismatch",
      detail: "no signature matches",
      webhookId: "msg_1",
      remoteAddress: "192.0.2.1",
      sizeBytes: 12,
      ...changes,
    });
  const rows = async (id = sourceId) => (await listRejections(db, { sourceId: id }, { limit: 1_000 })).rows;
  return { rejections, record, rows, clock, metrics, logLines, sourceId };
}

const sum = (rows: readonly RejectionRecord[]) => rows.reduce((total, { weight }) => total + weight, 0);

async function readMetric(metrics: Metrics, series: string): Promise<number> {
  const { text } = await metrics.render();
  return Number(
    text
      .split("\n")
      .find((line) => line.startsWith(`${series} `))
      ?.slice(series.length),
  );
}

const readDropped = (metrics: Metrics) => readMetric(metrics, "sluice_rejections_dropped_total");

describe("a refused request", () => {
  test("gets a row of its own with all its fields, soon and without a flush from outside", async ({ database }) => {
    const { record, rows } = openRejections(database.db);
    const beforeMs = Date.now();
    record();
    const [row] = await until(rows, { accept: ({ length }) => length === 1 });
    expect(row).toMatchObject({
      reason: "signature_mismatch",
      detail: "no signature matches",
      webhookId: "msg_1",
      remoteAddress: "192.0.2.1",
      sizeBytes: 12,
      weight: 1,
    });
    const createdMs = row?.createdAt.getTime() ?? 0;
    expect(createdMs).toBeGreaterThanOrEqual(beforeMs);
    expect(createdMs).toBeLessThanOrEqual(Date.now());
  });

  test("is stored with null for each missing field", async ({ database }) => {
    const { rejections, record, rows } = openRejections(database.db);
    record({ webhookId: undefined, remoteAddress: undefined, sizeBytes: undefined });
    record({ webhookId: "", remoteAddress: "", sizeBytes: Number.NaN });
    await rejections.close();
    const missing = { webhookId: null, remoteAddress: null, sizeBytes: null };
    expect(await rows()).toMatchObject([missing, missing]);
  });

  test("is stored, whatever its sender put into its fields", async ({ database }) => {
    const { rejections, record, rows } = openRejections(database.db);
    const hostile = `a\0b\r\n\u{1f600}\ud800${"x".repeat(100_000)}`;
    record({ detail: hostile, webhookId: hostile, remoteAddress: hostile, sizeBytes: 1e15 });
    record({ remoteAddress: "192.0.2.9", sizeBytes: -1, webhookId: "two words" });
    await rejections.close();
    const [second, first] = await rows();
    expect(first?.detail).toMatch(/^a\?b\?\?\u{1f600}\ufffdx+$/u);
    expect(first?.detail).toHaveLength(500);
    expect(first?.webhookId).toMatch(/^a\?b\?\?\?+x+$/);
    expect(first?.webhookId).toHaveLength(256);
    expect(first?.remoteAddress).toHaveLength(64);
    expect(first?.sizeBytes).toBe(2 ** 31 - 1);
    expect(second).toMatchObject({ remoteAddress: "192.0.2.9", sizeBytes: null, webhookId: "two words" });
  });

  test("never has a secret in its row, even when a detail or an id contains one", async ({ database }) => {
    const { rejections, record, rows } = openRejections(database.db);
    const token = "c2VjcmV0IGJ5dGVzIG9mIHRoaXMgdGVzdA";
    const jwt = `eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJhIn0.${token}`;
    const secrets = ["whsec_", "whsk_", "sluice_", "it_", "cb_", "v1,", "v1a,"].map((prefix) => prefix + token);
    // The detail is cut in the middle of a token, and the rest must still be recognized as a token.
    for (const secret of [...secrets, jwt, `${"x ".repeat(230)}${jwt.repeat(3)}`]) {
      record({ detail: `the value "${secret}" is not one`, webhookId: secret.slice(0, 256) });
    }
    await rejections.close();
    const stored = await rows();
    expect(stored).toHaveLength(9);
    expect(JSON.stringify(stored)).not.toMatch(/c2VjcmV0|eyJ/);
    for (const { detail } of stored) expect(detail).toContain("[redacted]");
  });

  test("is stored on a day that has no partition yet", async ({ database }) => {
    const { rows: partitions } = await database.db.pool.query<{ name: string }>(
      "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'rejections'::regclass",
    );
    for (const { name } of partitions) await database.db.pool.query(`DROP TABLE ${name}`);
    const { rejections, record, rows } = openRejections(database.db);
    record();
    await rejections.close();
    expect(await rows()).toHaveLength(1);
  });
});

describe("a flood", () => {
  test("of 100,000 requests makes 21 rows with a total weight of 100,000, and the metrics count all", async ({
    database,
  }) => {
    const { rejections, record, rows, metrics } = openRejections(database.db);
    for (let i = 0; i < 100_000; i++) record({ webhookId: `msg_${i}` });
    await rejections.close();
    const stored = await rows();
    expect(stored).toHaveLength(21);
    expect(sum(stored)).toBe(100_000);
    expect(stored.map(({ webhookId }) => webhookId)).toEqual(Array.from({ length: 21 }, (_, i) => `msg_${20 - i}`));
    const refused = 'sluice_ingress_refused_total{source="gemini",reason="signature_mismatch"}';
    expect(await readMetric(metrics, refused)).toBe(100_000);
    expect(await readDropped(metrics)).toBe(0);
  });

  test("on one source and reason does not hide other refusals", async ({ database }) => {
    const { rejections, record, rows, sourceId } = openRejections(database.db);
    const quietId = newId();
    for (let i = 0; i < 1_000; i++) record();
    record({ reason: "stale_timestamp" });
    record({ sourceId: quietId, sourceName: "quiet" });
    await rejections.close();
    const stale = (await rows()).filter(({ reason }) => reason === "stale_timestamp");
    expect(stale).toMatchObject([{ sourceId, weight: 1 }]);
    expect(await rows(quietId)).toMatchObject([{ weight: 1 }]);
  });

  test("is written when its window ends, even without a further request, and the next window starts anew", async ({
    database,
  }) => {
    const { record, rows, clock } = openRejections(database.db);
    for (let i = 0; i < 30; i++) record();
    const singles = await until(rows, { accept: ({ length }) => length === 20 });
    expect(sum(singles)).toBe(20);
    clock.ms += WINDOW_MS;
    const all = await until(rows, { accept: ({ length }) => length === 21 });
    expect(all.map(({ weight }) => weight)).toEqual([10, ...Array.from({ length: 20 }, () => 1)]);
    for (let i = 0; i < 3; i++) record();
    expect(sum(await until(rows, { accept: ({ length }) => length === 24 }))).toBe(33);
  });

  test("over more sources than fit into memory drops the others and counts them", async ({ database }) => {
    const { rejections, record, rows, metrics } = openRejections(database.db);
    const sourceIds = Array.from({ length: 150 }, () => newId());
    for (const sourceId of sourceIds) {
      for (let i = 0; i < 25; i++) record({ sourceId });
    }
    await rejections.close();
    const written = await Promise.all(sourceIds.map(rows));
    expect(written.flat()).toHaveLength(2_000);
    expect(sum(written.flat()) + (await readDropped(metrics))).toBe(150 * 25);
  });
});

describe("while PostgreSQL is away", () => {
  test("nothing is thrown, lost requests are counted, and the log says so once", async () => {
    const db = openDatabase({
      url: "postgres://nobody@127.0.0.1:1/none",
      applicationName: "sluice-test",
      maxConnections: 1,
      onError: () => {},
    });
    const { rejections, record, metrics, logLines } = openRejections(db);
    for (let i = 0; i < 5; i++) record();
    await until(() => readDropped(metrics), { accept: (dropped) => dropped === 5 });
    for (let i = 0; i < 5_000; i++) record({ reason: "stale_timestamp" });
    await rejections.close();
    expect(await readDropped(metrics)).toBe(5_005);
    record();
    expect(await readDropped(metrics)).toBe(5_006);
    expect(logLines).toHaveLength(1);
    expect(JSON.parse(logLines[0] ?? "")).toMatchObject({
      level: "warn",
      msg: "rejections not written: their rows are lost",
    });
    await db.close();
  });

  test("a PostgreSQL that hangs takes one connection, and delays a close by two seconds", async ({ database }) => {
    const { rejections, record, metrics } = openRejections(database.db);
    const sourceIds = Array.from({ length: 30 }, () => newId());
    const blocker = await database.db.pool.connect();
    try {
      await blocker.query("BEGIN; LOCK TABLE rejections IN ACCESS EXCLUSIVE MODE");
      for (const sourceId of sourceIds) {
        for (let i = 0; i < 20; i++) record({ sourceId });
      }
      const startedMs = performance.now();
      await rejections.close();
      expect(performance.now() - startedMs).toBeLessThan(30_000);
      expect(database.db.pool.totalCount - database.db.pool.idleCount).toBe(2);
      // The 500 rows under way are not lost yet. The 100 rows that wait are.
      expect(await readDropped(metrics)).toBe(100);
    } finally {
      await blocker.query("COMMIT");
      blocker.release();
    }
    const written = () =>
      database.db.pool.query<{ count: number }>(
        "SELECT count(*)::int AS count FROM rejections WHERE source_id = ANY($1)",
        [sourceIds],
      );
    await until(written, { accept: ({ rows }) => rows[0]?.count === 500 });
  });
});

test("ids are rej_… and grow with time", async ({ database }) => {
  const { rejections, record, rows } = openRejections(database.db);
  record();
  record();
  await rejections.close();
  const ids = (await rows()).map(({ id }) => formatId("rej", id));
  expect(ids).toEqual(ids.toSorted().toReversed());
  expect(ids[0]).toMatch(/^rej_[0-9a-z]{26}$/);
});
