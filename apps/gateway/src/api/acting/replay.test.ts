// POST /v1/events/{id}:replay: which targets get the event, and which are refused.

import { describe, expect } from "vitest";

import { deliveryId, formatId, newId } from "@sluice/shared/domain/ids";
import { loadSubscribers } from "@sluice/store/configuration/targets";
import { cancelForDeleted, removeTarget } from "@sluice/store/delivery/deleted-targets";
import { deliveryTo } from "@sluice/store/delivery/fan-out";
import { replayTo } from "@sluice/store/delivery/replay";
import { getDelivery, getEventWithBody } from "@sluice/store/log/records";

import { pointersOf, recordAttempt, seedEvent, test, type TestApi } from "../../../../../tests/support/api/test-api.ts";
import { seedTarget } from "../../../../../tests/support/seed.ts";

const shownTarget = (id: string) => formatId("tgt", id);

async function replay(api: TestApi, eventId: string, targetIds?: string[]) {
  const body = targetIds && { targets: targetIds.map(shownTarget) };
  return api.call("POST", `/v1/events/${formatId("evt", eventId)}:replay`, { body });
}

/** The result for each target. The targets of the other tests in this file match too. */
async function replayToAll(api: TestApi, eventId: string) {
  const { body } = await replay(api, eventId);
  return new Map(body.deliveries.map(({ target, result }: { target: string; result: string }) => [target, result]));
}

describe("POST /v1/events/{id}:replay", () => {
  test("goes to all targets that match now: a new one, one that got the event, and one that is getting it", async ({
    api,
  }) => {
    const [got, busy] = [await seedTarget(api.db), await seedTarget(api.db)];
    const { eventId, deliveryIds } = await seedEvent(api, [got, busy]);
    await recordAttempt(api, deliveryIds[0] ?? "", { status: "succeeded" });
    const [added, filtered, paused] = [
      await seedTarget(api.db),
      await seedTarget(api.db, { filter: 'source == "gemini" && event.data.id == "batch_1"' }),
      await seedTarget(api.db, { state: "paused" }),
    ];
    const [other, unmatched, disabled, failing] = [
      await seedTarget(api.db, { subscribedEvents: ["video.*"] }),
      await seedTarget(api.db, { filter: 'event.data.id == "batch_2"' }),
      await seedTarget(api.db, { state: "disabled" }),
      await seedTarget(api.db, { filter: "event.data.cost > 1" }),
    ];
    const answer = await replay(api, eventId);
    expect(answer.status).toBe(200);
    const results = new Map(
      answer.body.deliveries.map((one: { target: string; result: string }) => [one.target, one.result]),
    );
    const resultFor = (id: string) => results.get(shownTarget(id));
    expect([got, busy, added, filtered, paused].map(resultFor)).toEqual([
      "retried",
      "in_flight",
      "created",
      "created",
      "created",
    ]);
    expect([other, unmatched, disabled, failing].map(resultFor)).toEqual([undefined, undefined, undefined, undefined]);
    expect(answer.body.filter_errors).toEqual([{ target: shownTarget(failing), error: expect.any(String) }]);
    expect(api.woken).toEqual(expect.arrayContaining([got, added, filtered, paused]));
    expect(api.woken).not.toContain(busy);

    const stored = (targetId: string) => getDelivery(api.db, deliveryId(eventId, targetId));
    expect(await stored(got)).toMatchObject({
      status: "pending",
      nextTrigger: "manual",
      attemptCount: 1,
      backoffStart: 1,
    });
    expect(await stored(added)).toMatchObject({
      status: "pending",
      nextTrigger: "manual",
      attemptCount: 0,
      leasedBy: null,
    });
    // A second replay retries the new delivery, because an event has one delivery per target.
    expect((await replayToAll(api, eventId)).get(shownTarget(added))).toBe("retried");
  });

  test("goes to the given targets only, whatever they subscribe to", async ({ api }) => {
    const [named, other] = [await seedTarget(api.db, { subscribedEvents: ["video.*"] }), await seedTarget(api.db)];
    const { eventId } = await seedEvent(api);
    const answer = await replay(api, eventId, [named]);
    expect(answer.body).toEqual({
      event: formatId("evt", eventId),
      deliveries: [{ target: shownTarget(named), delivery: expect.stringMatching(/^dlv_/), result: "created" }],
      filter_errors: [],
    });
    expect(api.woken).not.toContain(other);
  });

  test("leaves what is there with again: false, and asks the subscription of named targets when told to", async ({
    api,
  }) => {
    const [got, added] = [await seedTarget(api.db), await seedTarget(api.db)];
    const other = await seedTarget(api.db, { subscribedEvents: ["video.*"] });
    const failing = await seedTarget(api.db, { filter: "event.data.cost > 1" });
    const { eventId, deliveryIds } = await seedEvent(api, [got]);
    await recordAttempt(api, deliveryIds[0] ?? "", { status: "succeeded" });
    const targets = [got, added, other, failing].map(shownTarget);
    const body = { targets, again: false, match_subscription: true };
    const path = `/v1/events/${formatId("evt", eventId)}:replay`;
    const answer = await api.call("POST", path, { body });
    expect(answer.body.deliveries).toMatchObject([
      { target: shownTarget(got), result: "skipped" },
      { target: shownTarget(added), result: "created" },
    ]);
    expect(answer.body.filter_errors).toMatchObject([{ target: shownTarget(failing) }]);
    expect(await getDelivery(api.db, deliveryIds[0] ?? "")).toMatchObject({ status: "succeeded" });
    expect(api.woken).not.toContain(got);
    const refused = await api.call("POST", path, { body: { match_subscription: false } });
    expect(pointersOf(refused)).toEqual(["/match_subscription"]);
  });

  test("waits for no change of a target, and lets none wait", async ({ api }) => {
    const targetId = await seedTarget(api.db);
    const { eventId } = await seedEvent(api);
    const changing = await api.db.pool.connect();
    await changing.query("BEGIN");
    await changing.query("SELECT FROM targets FOR UPDATE");
    expect((await replay(api, eventId, [targetId])).status).toBe(200);
    expect((await replayToAll(api, eventId)).get(shownTarget(targetId))).toBe("retried");
    await changing.query("ROLLBACK");
    changing.release();
  });

  test("leaves nothing to do for a target that is deleted meanwhile", async ({ api }) => {
    const targetId = await seedTarget(api.db);
    const { eventId } = await seedEvent(api);
    const event = await getEventWithBody(api.db, eventId);
    const id = deliveryId(eventId, targetId);
    await api.db.orm.transaction(async (orm) => {
      const target = (await loadSubscribers({ orm })).find((each) => each.id === targetId);
      if (target === undefined || event === undefined) throw new Error("Both were stored");
      expect(await removeTarget(api.db, targetId)).toBe(true);
      await replayTo({ orm }, [deliveryTo(target, event)], "free");
    });
    expect(await getDelivery(api.db, id)).toMatchObject({ status: "pending" });
    await cancelForDeleted(api.db);
    expect(await getDelivery(api.db, id)).toMatchObject({ status: "cancelled" });
  });

  test("refuses and names a target that it cannot replay to, and then replays to none", async ({ api }) => {
    const [enabled, disabled] = [await seedTarget(api.db), await seedTarget(api.db, { state: "disabled" })];
    const { eventId } = await seedEvent(api);
    const unknown = await replay(api, eventId, [enabled, newId(), disabled]);
    expect(unknown.body).toMatchObject({ status: 400, code: "invalid_request" });
    expect(pointersOf(unknown)).toEqual(["/targets/1"]);
    const refused = await replay(api, eventId, [enabled, disabled]);
    expect(refused.body).toMatchObject({ status: 409, code: "target_disabled" });
    expect(refused.body.detail).toContain(shownTarget(disabled));
    expect(pointersOf(refused)).toEqual(["/targets/1"]);
    expect(pointersOf(await replay(api, eventId, [enabled, enabled]))).toEqual(["/targets/1"]);
    expect(api.woken).not.toContain(enabled);
    const path = `/v1/events/${formatId("evt", eventId)}:replay`;
    expect(pointersOf(await api.call("POST", path, { body: { targets: ["tgt_1"] } }))).toEqual(["/targets/0"]);
    expect(pointersOf(await api.call("POST", path, { body: { targets: [] } }))).toEqual(["/targets"]);
    expect(pointersOf(await api.call("POST", path, { body: { all: true } }))).toEqual(["/all"]);
  });

  test("is a 404 for an unknown event, and for one whose day is past retention", async ({ api }) => {
    expect((await replay(api, newId())).body.code).toBe("not_found");
    const targetId = await seedTarget(api.db);
    const { eventId } = await seedEvent(api);
    // The state between the two drops of retention: the deliveries of a day are dropped, its events are not yet.
    const day = new Date().toISOString().slice(0, 10).replaceAll("-", "");
    await api.db.pool.query(`ALTER TABLE deliveries DETACH PARTITION deliveries_${day}`);
    try {
      expect((await replay(api, eventId, [targetId])).body).toMatchObject({ status: 404, code: "not_found" });
    } finally {
      await api.db.pool.query(
        `ALTER TABLE deliveries ATTACH PARTITION deliveries_${day} FOR VALUES FROM (uuid_floor('${day}'::date::timestamp AT TIME ZONE 'UTC'))
         TO (uuid_floor(('${day}'::date + 1)::timestamp AT TIME ZONE 'UTC'))`,
      );
    }
  });
});
