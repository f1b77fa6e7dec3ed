// The statement of the intake stores all of a batch or nothing, and every event once, also when batches race.

import { describe, expect } from "vitest";

import { idFloor, newId } from "@sluice/shared/domain/ids";

import { test } from "../../../../tests/support/database.ts";
import { makeDelivery, makeEvent, newLease, seedTarget } from "../../../../tests/support/seed.ts";
import { until } from "../../../../tests/support/wait.ts";
import { readRevision } from "../connection/configuration-revision.ts";
import type { Database } from "../connection/database.ts";
import { claimDue } from "./deliveries.ts";
import { storeEvents } from "./store-events.ts";

async function countRows(db: Database, table: string, condition = "true", values: unknown[] = []): Promise<number> {
  const { rows } = await db.pool.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM ${table} WHERE ${condition}`,
    values,
  );
  return rows[0]?.count ?? -1;
}

const tokenOf = (id: string) => ({ id, expiresAtMs: Date.now() + 60_000 });

describe("storeEvents", () => {
  test("keeps everything of an event, its body to the byte", async ({ database: { db } }) => {
    const body = Buffer.from([0x00, 0xff, 0xfe, 0xc3, 0x28, 0x5c, 0x0a]);
    const event = makeEvent({
      body,
      type: null,
      occurredAtMs: 1_700_000_000_123,
      receivedAtMs: 1_700_000_000_456,
      userMetadata: { job: 'quote " backslash \\ {braces}', nested: [1, null] },
      contentType: null,
      contentEncoding: "gzip",
      labels: { team: "billing" },
      filterErrors: [{ target: newId(), error: "no such key" }],
      bodyUnbound: true,
    });
    await storeEvents(db, await readRevision(db, "targets"), [event], [], newLease());
    const { rows } = await db.pool.query("SELECT * FROM events WHERE id = $1", [event.id]);
    expect(rows).toEqual([
      {
        id: event.id,
        source_id: event.sourceId,
        webhook_id: event.webhookId,
        type: null,
        occurred_at: new Date(1_700_000_000_123),
        received_at: new Date(1_700_000_000_456),
        scheme: "v1",
        user_metadata: event.userMetadata,
        content_type: null,
        body,
        labels: event.labels,
        filter_errors: event.filterErrors,
        body_unbound: true,
        data_id: null,
        content_encoding: "gzip",
        body_removed_at: null,
        body_removed_by: null,
        trace_context: null,
      },
    ]);
  });

  test("lets a token prove one webhook id: in one batch, again, and in batches that race", async ({ database }) => {
    const { db } = database;
    const revision = await readRevision(db, "targets");
    const { sourceId, webhookId } = makeEvent();
    const withToken = (id: string, changes: object = {}) => makeEvent({ sourceId, token: tokenOf(id), ...changes });
    const store = async (...events: ReturnType<typeof makeEvent>[]) => {
      const result = await storeEvents(db, revision, events, [], newLease());
      if (result.kind !== "stored") throw new Error("outdated");
      const of = (ids: Set<string>) =>
        events.map(({ id }, index) => (ids.has(id) ? index : -1)).filter((at) => at >= 0);
      return { fresh: of(result.freshEventIds), spent: of(result.spentEventIds) };
    };
    const [first, other] = [withToken("a", { webhookId }), withToken("a")];
    expect(await store(first, other, withToken("b"), makeEvent({ sourceId }))).toEqual({
      fresh: [0, 2, 3],
      spent: [1],
    });
    // A retry of the first webhook is a duplicate, and the other one stays refused.
    expect(await store(withToken("a", { webhookId }), withToken("a"))).toEqual({ fresh: [], spent: [1] });
    expect(await store(withToken("a", { sourceId: makeEvent().sourceId }))).toEqual({ fresh: [0], spent: [] });
    // A refused event leaves its webhook id free for the webhook whose id it is.
    expect(await store(makeEvent({ sourceId, webhookId: other.webhookId }))).toEqual({ fresh: [0], spent: [] });
    const raced = await Promise.all(Array.from({ length: 20 }, () => store(withToken("c"), withToken("d"))));
    expect(raced.flatMap(({ fresh }) => fresh)).toHaveLength(2);
    expect(raced.flatMap(({ spent }) => spent)).toHaveLength(38);
  });

  test("stores a (source, webhook id) once: in one batch, again, and under another event id", async ({ database }) => {
    const { db } = database;
    const targetId = await seedTarget(db);
    const revision = await readRevision(db, "targets");
    const first = makeEvent();
    const twin = { ...first, id: newId() };
    const store = (...events: (typeof first)[]) =>
      storeEvents(
        db,
        revision,
        events,
        events.map((event) => makeDelivery(event, targetId)),
        newLease(),
      );
    expect(await store(first, twin)).toMatchObject({ kind: "stored", freshEventIds: new Set([first.id]) });
    expect(await store(first)).toMatchObject({ kind: "stored", freshEventIds: new Set() });
    expect(await store({ ...first, id: newId() })).toMatchObject({ kind: "stored", freshEventIds: new Set() });
    expect(await countRows(db, "events", "webhook_id = $1", [first.webhookId])).toBe(1);
    expect(await countRows(db, "deliveries", "target_id = $1", [targetId])).toBe(1);
  });

  test("takes the same webhook id of two sources for two events", async ({ database: { db } }) => {
    const events = [makeEvent({ webhookId: "msg_shared" }), makeEvent({ webhookId: "msg_shared" })];
    const result = await storeEvents(db, await readRevision(db, "targets"), events, [], newLease());
    expect(result).toMatchObject({ kind: "stored", freshEventIds: new Set(events.map((event) => event.id)) });
  });

  test("stores each event once when many batches bring the same ones at once, in any order", async ({ database }) => {
    const { db } = database;
    const targetId = await seedTarget(db);
    const revision = await readRevision(db, "targets");
    const originals = Array.from({ length: 50 }, () => makeEvent());
    const batches = Array.from({ length: 20 }, (_, batch) => {
      const copies = originals.map((event) => ({ ...event, id: newId() }));
      const turned = [...copies.slice(batch * 2), ...copies.slice(0, batch * 2)];
      return batch % 2 === 0 ? turned : turned.toReversed();
    });
    const results = await Promise.all(
      batches.map((events) =>
        storeEvents(
          db,
          revision,
          events,
          events.map((event) => makeDelivery(event, targetId)),
          newLease(),
        ),
      ),
    );
    const fresh = results.flatMap((result) => (result.kind === "stored" ? [...result.freshEventIds] : []));
    expect(fresh).toHaveLength(50);
    const { rows } = await db.pool.query<{ event_id: string }>("SELECT event_id FROM deliveries WHERE target_id = $1", [
      targetId,
    ]);
    expect(rows.map((row) => row.event_id).toSorted()).toEqual(fresh.toSorted());
  });

  test("lets batches with the same events in other orders wait for each other, and never deadlock", async ({
    database: { db },
  }) => {
    const revision = await readRevision(db, "targets");
    const sourceId = newId();
    const [first, middle, last] = ["a", "m", "z"].map((webhookId) => makeEvent({ sourceId, webhookId }));
    if (first === undefined || middle === undefined || last === undefined) throw new Error("Three were made");
    const store = (...events: (typeof first)[]) => {
      const copies = events.map((event) => ({ ...event, id: newId() }));
      return storeEvents(db, revision, copies, [], newLease());
    };
    const blocker = await db.pool.connect();
    // Stops each batch at the event in the middle, after it has inserted its first one.
    await blocker.query("BEGIN");
    await blocker.query("INSERT INTO event_keys VALUES ($1, 'm', $2)", [sourceId, middle.id]);
    const condition = "datname = current_database() AND wait_event_type = 'Lock'";
    const waiting = (expected: number) =>
      until(() => countRows(db, "pg_stat_activity", condition), { accept: (actual) => actual === expected });
    const one = store(first, middle, last);
    await waiting(1);
    const other = store(last, middle, first);
    await waiting(2);
    await blocker.query("ROLLBACK");
    blocker.release();
    const results = await Promise.all([one, other]);
    expect(results.map((result) => (result.kind === "stored" ? result.freshEventIds.size : -1))).toEqual([3, 0]);
  });

  test("stores nothing under an old revision, so that a new target is not missed", async ({ database }) => {
    const { db } = database;
    const revision = await readRevision(db, "targets");
    const event = makeEvent();
    const targetId = await seedTarget(db);
    expect(await storeEvents(db, revision, [event], [], newLease())).toEqual({ kind: "outdated" });
    for (const table of ["events", "event_keys"]) {
      expect(await countRows(db, table, "webhook_id = $1", [event.webhookId])).toBe(0);
    }
    const again = await storeEvents(
      db,
      await readRevision(db, "targets"),
      [event],
      [makeDelivery(event, targetId)],
      newLease(),
    );
    expect(again).toMatchObject({ kind: "stored", freshEventIds: new Set([event.id]) });
  });

  test("leaves nothing behind when a part of it fails, so that it can be repeated", async ({ database: { db } }) => {
    const revision = await readRevision(db, "targets");
    // No partition is made a year ahead.
    const far = makeEvent({ id: idFloor(Date.now() + 366 * 86_400_000) });
    const near = makeEvent();
    await expect(storeEvents(db, revision, [near, far], [], newLease())).rejects.toMatchObject({ code: "23514" });
    for (const table of ["events", "event_keys"]) {
      expect(await countRows(db, table, "webhook_id = ANY($1)", [[near.webhookId, far.webhookId]])).toBe(0);
    }
    expect(await storeEvents(db, revision, [near], [], newLease())).toMatchObject({
      freshEventIds: new Set([near.id]),
    });
  });

  test("leases a delivery that is taken in hand, and leaves another due at once", async ({ database: { db } }) => {
    const targetId = await seedTarget(db);
    const lease = newLease();
    const [held, due] = [makeEvent(), makeEvent()];
    const deliveries = [makeDelivery(held, targetId, { leased: true }), makeDelivery(due, targetId)];
    await storeEvents(db, await readRevision(db, "targets"), [held, due], deliveries, lease);
    const claimed = await claimDue(db, targetId, 10, newLease());
    expect(claimed.map((delivery) => delivery.eventId)).toEqual([due.id]);
    const { rows } = await db.pool.query("SELECT leased_by FROM deliveries WHERE event_id = $1", [held.id]);
    expect(rows).toEqual([{ leased_by: lease.workerId }]);
  });
});
