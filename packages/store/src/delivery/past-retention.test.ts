// Deliveries that are past retention and not finished are counted, and exhausted where the operator wants that.

import { expect } from "vitest";

import { idFloor } from "@sluice/shared/domain/ids";

import { test } from "../../../../tests/support/database.ts";
import { makeDelivery, makeEvent, newLease, seedDeliveries, seedTarget } from "../../../../tests/support/seed.ts";
import { readRevision } from "../connection/configuration-revision.ts";
import { withPartitions } from "../connection/partitions.ts";
import { countChanges } from "../journal/stats-count.ts";
import { readWaiting } from "../journal/stats.ts";
import { getDelivery } from "../log/records.ts";
import { claimDue } from "./deliveries.ts";
import { countPastRetention, exhaustPastRetention } from "./past-retention.ts";
import { endTurn, readRetentionState, takeTurn } from "./retention-state.ts";
import { storeEvents } from "./store-events.ts";

const DAY = Date.parse("2019-01-01T00:00:00Z");
const DAY_MS = 86_400_000;

test("what no worker has in hand is exhausted with the error retention, and counted so", async ({
  database: { db },
}) => {
  const [paused, enabled] = [await seedTarget(db, { state: "paused" }), await seedTarget(db)];
  const events = [1, 2, 3].map((hour) => makeEvent({ id: idFloor(DAY + hour * 3_600_000) }));
  const deliveries = [
    ...events.slice(0, 2).map((event) => makeDelivery(event, paused)),
    ...events.slice(2).map((event) => makeDelivery(event, enabled)),
  ];
  const revision = await readRevision(db, "targets");
  const ids = events.map(({ id }) => id);
  await withPartitions(db, ids, () => storeEvents(db, revision, events, deliveries, newLease()));
  const [young] = await seedDeliveries(db, paused, 1);
  const [inHand] = await claimDue(db, enabled, 1, newLease());
  expect(await countPastRetention(db, DAY + DAY_MS)).toEqual([
    { targetId: paused, targetState: "paused", deliveries: 2 },
    { targetId: enabled, targetState: "enabled", deliveries: 1 },
  ]);
  await countChanges(db);

  expect(await exhaustPastRetention(db, DAY + DAY_MS)).toBe(2);
  for (const { id } of deliveries.slice(0, 2)) {
    expect(await getDelivery(db, id)).toMatchObject({
      status: "exhausted",
      nextAttemptAt: null,
      lastError: "retention: not finished within RETENTION_DAYS",
    });
  }
  for (const id of [inHand?.id, young?.id])
    expect(await getDelivery(db, id ?? "")).toMatchObject({ status: "pending" });
  expect(await countPastRetention(db, DAY + DAY_MS)).toEqual([
    { targetId: enabled, targetState: "enabled", deliveries: 1 },
  ]);
  await countChanges(db);
  expect(await readWaiting(db, paused)).toMatchObject([{ count: 1 }]);
});

test("one caller has the turn to drop, and says what it left", async ({ database: { db } }) => {
  const turns = await Promise.all([takeTurn(db), takeTurn(db), takeTurn(db)]);
  expect(turns.filter(Boolean)).toHaveLength(1);
  await endTurn(db, { overdueDays: 3, unfinished: { paused: 2 }, heldDays: 5 }, 3_600_000);
  expect(await readRetentionState(db)).toEqual({ overdueDays: 3, unfinished: { paused: 2 }, heldDays: 5 });
  expect(await takeTurn(db)).toBe(false);
  await endTurn(db, { overdueDays: 0, unfinished: {}, heldDays: 0 }, 0);
  expect(await takeTurn(db)).toBe(true);
});
