// Bodies past BODY_RETENTION_DAYS go, each once its deliveries are finished, and the rows of the log stay.

import { describe, expect } from "vitest";

import { idFloor } from "@sluice/shared/domain/ids";

import { createTestDatabase, type TestDatabase, test as base } from "../../../../tests/support/database.ts";
import { makeAttempt, makeDelivery, makeEvent, newLease, seedTarget } from "../../../../tests/support/seed.ts";
import { readRevision } from "../connection/configuration-revision.ts";
import type { Database } from "../connection/database.ts";
import { DAY_MS, withPartitions } from "../connection/partitions.ts";
import { getEventWithBody } from "../log/records.ts";
import { retryDelivery } from "./by-hand.ts";
import { removePastBodies } from "./body-retention.ts";
import { recordAttempts } from "./deliveries.ts";
import { eraseEvent } from "./erasure.ts";
import { keepBodies } from "./removed-bodies.ts";
import { type NewEvent, storeEvents } from "./store-events.ts";

/** A database for each test: there is one position for all events. */
// oxlint-disable-next-line no-empty-pattern -- vitest reads what a fixture depends on off this pattern.
const test = base.extend("own", async ({}, { onCleanup }): Promise<TestDatabase> => {
  const own = await createTestDatabase();
  onCleanup(own.drop);
  return own;
});

let stored = 0;

/** Stores an event of some days ago, with a delivery that an attempt of today has finished, unless it is kept pending. */
async function storeAged(
  db: Database,
  days: number,
  { isPending = false, ...changes }: Partial<NewEvent> & { isPending?: boolean } = {},
) {
  const event = makeEvent({
    id: idFloor(Date.now() - days * DAY_MS + stored++),
    body: Buffer.from(`{"data":{"id":"batch_${stored}"}}`),
    labels: { customer: "acme" },
    dataId: `batch_${stored}`,
    ...changes,
  });
  const delivery = makeDelivery(event, await seedTarget(db), { leased: true });
  const lease = newLease();
  const revision = await readRevision(db, "targets");
  await withPartitions(db, [event.id], () => storeEvents(db, revision, [event], [delivery], lease));
  const next = isPending ? ({ status: "pending", retryInMs: 600_000 } as const) : ({ status: "succeeded" } as const);
  await recordAttempts(db, [makeAttempt(delivery.id, { responseExcerpt: "thanks", next })], lease.workerId);
  return { id: event.id, deliveryId: delivery.id, body: event.body };
}

/** Removes bodies that are older than some days, until there is no more to do at once. @returns how many. */
async function removeAll(db: Database, days: number): Promise<number> {
  await db.pool.query("UPDATE body_retention SET next_visit_at = now()");
  let removed = 0;
  for (;;) {
    const step = await removePastBodies(db, Date.now() - days * DAY_MS);
    removed += step.removed;
    if (!step.hasMore) return removed;
  }
}

const bodyOf = async (db: Database, id: string) => (await getEventWithBody(db, id))?.body.toString();
const countTerms = async (db: Database) => (await db.pool.query("SELECT FROM event_terms")).rowCount;

describe("removePastBodies", () => {
  test("removes bodies, terms and excerpts that are older, and leaves the rows and what is younger", async ({
    own: { db },
  }) => {
    const [old, young] = [await storeAged(db, 8), await storeAged(db, 6)];
    expect(await removeAll(db, 7)).toBe(1);
    expect(await getEventWithBody(db, old.id)).toMatchObject({
      id: old.id,
      type: "batch.succeeded",
      labels: null,
      dataId: null,
      bodyRemovedAt: expect.any(Date),
      bodyRemovedBy: "retention",
    });
    expect([await bodyOf(db, old.id), await bodyOf(db, young.id)]).toEqual(["", young.body.toString()]);
    expect(await countTerms(db)).toBe(1);
    const { rows } = await db.pool.query("SELECT response_excerpt, status_code FROM attempts ORDER BY delivery_id");
    expect(rows).toEqual([
      { response_excerpt: null, status_code: expect.anything() },
      { response_excerpt: "thanks", status_code: expect.anything() },
    ]);
    expect(await removeAll(db, 7)).toBe(0);
    // A shorter time reaches the next one, from where it was.
    expect(await removeAll(db, 5)).toBe(1);
  });

  test("keeps the body of an unfinished delivery until the delivery ends", async ({ own: { db } }) => {
    const { id, deliveryId, body } = await storeAged(db, 8, { isPending: true });
    expect(await removeAll(db, 7)).toBe(0);
    expect(await removeAll(db, 7)).toBe(0);
    expect(await bodyOf(db, id)).toBe(body.toString());
    await db.pool.query("UPDATE deliveries SET status = 'cancelled', next_attempt_at = NULL WHERE id = $1", [
      deliveryId,
    ]);
    expect(await removeAll(db, 7)).toBe(1);
    expect(await bodyOf(db, id)).toBe("");
    expect((await db.pool.query("SELECT FROM kept_bodies")).rowCount).toBe(0);
  });

  test("finds an event that was stored after the removal went past the time in its id", async ({ own: { db } }) => {
    await storeAged(db, 8);
    expect(await removeAll(db, 7)).toBe(1);
    const late = await storeAged(db, 9);
    expect(await removeAll(db, 7)).toBe(1);
    expect(await bodyOf(db, late.id)).toBe("");
  });

  test("goes on in steps of bounded size, and forgets what retention dropped", async ({ own: { db } }) => {
    const large = Buffer.alloc(9 * 1024 * 1024, "x");
    for (let n = 0; n < 3; n++) await storeAged(db, 8, { body: large });
    const steps = [];
    for (let n = 0; n < 4; n++) steps.push(await removePastBodies(db, Date.now() - 7 * DAY_MS));
    expect(steps.map(({ removed }) => removed)).toEqual([1, 1, 1, 0]);
    await db.pool.query("INSERT INTO kept_bodies (event_id) VALUES ($1)", [idFloor(Date.now() - 20 * DAY_MS)]);
    // The first run ends the visit that is under way, and the second begins at the first event.
    for (let run = 1; run <= 2; run++) await removeAll(db, 7);
    expect((await db.pool.query("SELECT FROM kept_bodies")).rowCount).toBe(0);
  });

  test("leaves the mark of an erasure, and an erasure leaves its own on what retention removed", async ({
    own: { db },
  }) => {
    const [erased, old] = [await storeAged(db, 8), await storeAged(db, 8)];
    const erase = (id: string) => db.orm.transaction((orm) => eraseEvent({ orm }, id));
    await erase(erased.id);
    expect(await removeAll(db, 7)).toBe(1);
    expect(await erase(old.id)).toMatchObject({ kind: "erased", cancelled: 0 });
    expect((await getEventWithBody(db, erased.id))?.bodyRemovedBy).toBe("erasure");
    expect((await getEventWithBody(db, old.id))?.bodyRemovedBy).toBe("erasure");
  });

  test("waits for a retry that is about to need the body, and then keeps it", async ({ own: { db } }) => {
    const { id, deliveryId, body } = await storeAged(db, 8);
    const removing = await db.orm.transaction(async (orm) => {
      await keepBodies({ orm });
      const started = removePastBodies(db, Date.now() - 7 * DAY_MS);
      expect(await retryDelivery({ orm }, deliveryId)).toMatchObject({ kind: "due" });
      return { started };
    });
    expect(await removing.started).toMatchObject({ removed: 0 });
    expect(await bodyOf(db, id)).toBe(body.toString());
  });

  test("is done by one worker at a time", async ({ own: { db } }) => {
    await storeAged(db, 8);
    await db.orm.transaction(async (orm) => {
      await orm.execute("SELECT FROM body_retention FOR UPDATE");
      expect(await removePastBodies(db, Date.now() - 7 * DAY_MS)).toEqual({ removed: 0, hasMore: false });
    });
    expect(await removeAll(db, 7)).toBe(1);
  });
});
