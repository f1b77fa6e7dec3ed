// A transaction that has read the log and stays open, such as that of a backup, holds up nothing but the drop of old
// partitions.

import { expect, onTestFinished } from "vitest";

import { ensurePartitions } from "@sluice/store/connection/partitions";
import { readRetentionState } from "@sluice/store/delivery/retention-state";

import { test } from "./support/relay.ts";
import { until } from "./support/wait.ts";

const DAY_MS = 86_400_000;
const OLD_DAY = Date.parse("2019-05-05T12:00:00Z");
const LOG_TABLES = ["attempts", "deliveries", "event_terms", "events", "rejections"];
/** "part" in ASCII: the lock of workers before this version, which a drop held while it waited. */
const OLD_LOCK = 0x7061_7274;

test("while it is open, a worker starts, makes partitions and delivers, and says what it could not drop", async ({
  relay,
  receiver,
}) => {
  const { db } = relay.database;
  await relay.createTarget(receiver);
  await ensurePartitions(db, OLD_DAY, OLD_DAY);
  const lastDay = new Date(Date.now() + 7 * DAY_MS).toISOString().slice(0, 10).replaceAll("-", "");
  for (const table of LOG_TABLES) await db.pool.query(`DROP TABLE ${table}_${lastDay}`);
  const exists = async (name: string) =>
    (await db.pool.query("SELECT FROM pg_class WHERE relname = $1", [name])).rowCount === 1;

  const [reader, old] = [await db.pool.connect(), await db.pool.connect()];
  onTestFinished(() => [reader, old].forEach((client) => client.release(true)));
  await reader.query("BEGIN");
  for (const table of LOG_TABLES) await reader.query(`SELECT FROM ${table} LIMIT 1`);
  await old.query("SELECT pg_advisory_lock($1)", [OLD_LOCK]);
  const takeTurns = () => db.pool.query("UPDATE retention_state SET next_drop_at = now()");

  await takeTurns();
  const worker = await relay.startWorker();
  onTestFinished(worker.stop);
  expect((await fetch(`${worker.url}/readyz`)).status).toBe(200);
  for (const table of LOG_TABLES) expect(await exists(`${table}_${lastDay}`)).toBe(true);
  const { headers } = await relay.sendEvent();
  const isDelivered = () =>
    receiver.requests.some((request) => request.headers["webhook-id"] === headers["webhook-id"]);
  await until(isDelivered);
  await until(async () => (await readRetentionState(db))?.overdueDays === 1);
  expect(await relay.readMetrics()).toContain("sluice_retention_overdue_days 1\n");
  expect(relay.logLines.filter((line) => line.includes("are not dropped yet"))).toHaveLength(1);
  expect(await exists("events_20190505")).toBe(true);

  await reader.query("COMMIT");
  await takeTurns();
  const next = await relay.startWorker();
  onTestFinished(next.stop);
  await until(async () => !(await exists("events_20190505")));
  await until(async () => (await readRetentionState(db))?.overdueDays === 0);
});
