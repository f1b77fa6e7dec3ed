// Which pull targets are deleted because nobody pulls, and what the audit trail says.

import { expect } from "vitest";

import { PULL_URI } from "@sluice/shared/domain/target-kinds";

import { test } from "../../../../tests/support/database.ts";
import { seedDeliveries, seedTarget } from "../../../../tests/support/seed.ts";
import type { Database } from "../connection/database.ts";
import { deleteIdleTargets, notePull } from "./target-pulls.ts";
import type { TargetSettings } from "./targets.ts";

const AUTHOR = { keyId: null, keyName: "test", remoteAddress: null, requestId: "" };

async function seedPull(db: Database, changes: Partial<TargetSettings> = {}, ageSeconds = 3_600): Promise<string> {
  const id = await seedTarget(db, { kind: "pull", uri: PULL_URI, deleteAfterIdleSeconds: 600, ...changes });
  await db.pool.query(
    "UPDATE targets SET created_at = now() - $2 * interval '1 s', updated_at = now() - $2 * interval '1 s' WHERE id = $1",
    [id, ageSeconds],
  );
  return id;
}

const deleteIdle = async (db: Database, limit = 10) => (await deleteIdleTargets(db, AUTHOR, limit)).map(({ id }) => id);

test("a target that nobody pulled for as long as it allows is deleted, with its deliveries and an entry", async ({
  database: { db },
}) => {
  const idle = await seedPull(db, { name: "idle" });
  await seedPull(db, { deleteAfterIdleSeconds: null });
  await seedPull(db, { managedBy: "sluice.yaml" });
  await seedPull(db, {}, 300);
  const pulled = await seedPull(db);
  await notePull(db, pulled);
  const [delivery] = await seedDeliveries(db, idle, 1);
  expect(await deleteIdle(db)).toEqual([idle]);
  expect(await deleteIdle(db)).toEqual([]);
  const { rows } = await db.pool.query("SELECT action, key_name, before FROM audit");
  expect(rows).toMatchObject([
    {
      action: "target.deleted",
      key_name: "test",
      before: { name: "idle", delete_after_idle_seconds: 600, last_pulled_at: null },
    },
  ]);
  const { rows: states } = await db.pool.query("SELECT status FROM deliveries WHERE id = $1", [delivery?.id]);
  expect(states).toEqual([{ status: "cancelled" }]);

  await db.pool.query("UPDATE target_pulls SET last_pulled_at = now() - interval '11 minutes'");
  expect(await deleteIdle(db)).toEqual([pulled]);
});

test("no more than the limit are deleted at once, and two workers delete each once", async ({ database: { db } }) => {
  const ids = [await seedPull(db), await seedPull(db), await seedPull(db)];
  const [one, other] = await Promise.all([deleteIdle(db, 2), deleteIdle(db, 2)]);
  expect(Math.max(one.length, other.length)).toBeLessThanOrEqual(2);
  const rest = await deleteIdle(db);
  expect([...one, ...other, ...rest].toSorted()).toEqual(ids.toSorted());
});

test("a pull is noted at most once a minute, and one of a deleted target is no error", async ({ database: { db } }) => {
  const id = await seedPull(db, {}, 0);
  const read = async () =>
    (await db.pool.query("SELECT last_pulled_at FROM target_pulls WHERE target_id = $1", [id])).rows;
  await notePull(db, id);
  const [first] = await read();
  await notePull(db, id);
  expect(await read()).toEqual([first]);
  await db.pool.query("UPDATE target_pulls SET last_pulled_at = now() - interval '61 seconds'");
  await notePull(db, id);
  expect((await read())[0].last_pulled_at.getTime()).toBeGreaterThanOrEqual(first.last_pulled_at.getTime());
  await db.pool.query("DELETE FROM targets WHERE id = $1", [id]);
  await notePull(db, id);
  expect(await read()).toEqual([]);
});
