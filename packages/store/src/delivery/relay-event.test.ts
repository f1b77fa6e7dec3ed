// Operational events reach the targets that name them, and nobody else.

import { expect } from "vitest";

import { test } from "../../../../tests/support/database.ts";
import { seedTarget } from "../../../../tests/support/seed.ts";
import type { Database } from "../connection/database.ts";
import { storeOperationalEvent } from "./relay-event.ts";

const tell = (db: Database, data: { id: string }) =>
  db.orm.transaction((orm) => storeOperationalEvent({ orm }, "sluice.source.drift", data));

test("an operational event is stored with a delivery for each target that names it", async ({ database: { db } }) => {
  const seed = (subscribedEvents: string[], filter: string | null = null) =>
    seedTarget(db, { subscribedEvents, filter });
  const named = await seed(["sluice.source.drift"]);
  const grouped = await seed(["*", "sluice.*"], 'source == "sluice" && event.data.id == "src_1"');
  await seed(["*"]);
  await seed(["sluice.job.*"]);
  await seed(["sluice.*"], 'event.data.id == "src_2"');

  const data = { id: "src_1", differences: ["state"] };
  const targetIds = await tell(db, data);

  expect(new Set(targetIds)).toEqual(new Set([named, grouped]));
  const { rows } = await db.pool.query(
    `SELECT e.type, e.data_id, e.body, d.status, extract(epoch FROM d.deadline_at - d.created_at)::int AS horizon
     FROM events e JOIN deliveries d ON d.event_id = e.id WHERE d.target_id = ANY ($1)`,
    [[named, grouped]],
  );
  expect(rows).toMatchObject([
    { type: "sluice.source.drift", data_id: "src_1", status: "pending", horizon: 86_400 },
    { type: "sluice.source.drift", data_id: "src_1", status: "pending", horizon: 86_400 },
  ]);
  expect(JSON.parse(String((rows[0] as { body: Buffer }).body))).toMatchObject({ type: "sluice.source.drift", data });
});

test("an operational event for which nobody waits is in the log", async ({ database: { db } }) => {
  await db.pool.query("DELETE FROM targets");
  const data = { id: "src_unheard" };
  expect(await tell(db, data)).toEqual([]);
  const { rows } = await db.pool.query("SELECT type FROM events WHERE data_id = $1", [data.id]);
  expect(rows).toEqual([{ type: "sluice.source.drift" }]);
});
