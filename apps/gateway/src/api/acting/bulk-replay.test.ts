// POST /v1/events:replay: which events reach which targets, what is refused, and what the operation and the dry run show.

import { describe, expect } from "vitest";

import { formatId, newId } from "@sluice/shared/domain/ids";
import { makeNextStep, STEP_SIZE } from "@sluice/store/delivery/operation-step";
import { storeRelayEvent } from "@sluice/store/delivery/relay-event";

import {
  pointersOf,
  recordAttempt,
  seedEvent,
  storeKey,
  test,
  type TestApi,
} from "../../../../../tests/support/api/test-api.ts";
import { seedTarget } from "../../../../../tests/support/seed.ts";

const shownTarget = (id: string) => formatId("tgt", id);
const NONE = { created: 0, retried: 0, skipped: 0, not_matched: 0, filter_errors: 0, left_out: 0 };

const post = (api: TestApi, body: object, headers = {}) => api.call("POST", "/v1/events:replay", { body, headers });

/** Starts a replay and does what the workers do, until it has ended. @returns the operation. */
async function replay(api: TestApi, body: object) {
  const started = await post(api, body);
  expect(started.status, JSON.stringify(started.body)).toBe(202);
  while ((await makeNextStep(api.db, STEP_SIZE)) !== undefined);
  return (await api.call("GET", `/v1/operations/${started.body.id}`)).body;
}

async function eventsOf(api: TestApi, targetId: string): Promise<string[]> {
  const { body } = await api.call("GET", `/v1/deliveries?target=${shownTarget(targetId)}&order=oldest`);
  return body.data.map(({ event }: { event: string }) => event);
}

const makeType = () => `backfill.${newId()}`;

/** Stores events of one type that no other test has. */
async function seedEvents(api: TestApi, count: number, targetIds: string[] = []) {
  const type = makeType();
  const seeded = [];
  for (let n = 0; n < count; n++) {
    const body = Buffer.from(JSON.stringify({ type, data: { n } }));
    seeded.push(await seedEvent(api, targetIds, { type, body }));
  }
  return {
    type,
    ids: seeded.map(({ eventId }) => formatId("evt", eventId)),
    deliveryIds: seeded.flatMap(({ deliveryIds }) => deliveryIds),
  };
}

describe("POST /v1/events:replay", () => {
  test("gives a new target every event that matches, once, and shows the operation", async ({ api }) => {
    const { type, ids } = await seedEvents(api, 5);
    const target = await seedTarget(api.db);
    const body = { targets: [shownTarget(target)], event_type: type, since: "2020-01-01T00:00:00Z" };
    const started = await post(api, body);
    expect(started.status).toBe(202);
    expect(started.headers.get("location")).toBe(`/v1/operations/${started.body.id}`);
    expect(started.body).toMatchObject({
      kind: "replay_events",
      state: "running",
      filter: body,
      total: null,
      done: 0,
      failed: 0,
      replay: { matched: 0, first_filter_error: null, targets: [{ target: shownTarget(target), ...NONE }] },
      created_by: { key: null, name: "ADMIN_API_KEY" },
    });
    while ((await makeNextStep(api.db, STEP_SIZE)) !== undefined);
    expect((await api.call("GET", `/v1/operations/${started.body.id}`)).body).toMatchObject({
      state: "succeeded",
      total: 5,
      done: 5,
      failed: 0,
      replay: { matched: 5, targets: [{ ...NONE, created: 5 }] },
    });
    expect(await eventsOf(api, target)).toEqual(ids);
    const audit = (await api.call("GET", `/v1/audit?resource=${started.body.id}`)).body.data;
    expect(audit).toMatchObject([{ action: "operation.started" }]);

    // Everything is there already.
    const again = await replay(api, body);
    expect(again).toMatchObject({ done: 5, replay: { targets: [{ ...NONE, skipped: 5 }] } });
    expect(await eventsOf(api, target)).toEqual(ids);
  });

  test("retries what is finished with again, and leaves what waits or is being attempted", async ({ api }) => {
    const target = await seedTarget(api.db);
    const { type, ids, deliveryIds } = await seedEvents(api, 5, [target]);
    const [succeeded = "", exhausted = "", cancelled = "", waiting = ""] = deliveryIds;
    await recordAttempt(api, succeeded, { status: "succeeded" }, { statusCode: 200 });
    await recordAttempt(api, exhausted, { status: "exhausted" });
    await recordAttempt(api, cancelled, { status: "pending", retryInMs: 0 });
    await api.call("POST", `/v1/deliveries/${formatId("dlv", cancelled)}:cancel`);
    await recordAttempt(api, waiting, { status: "pending", retryInMs: 600_000 });
    // A worker has the fifth in hand.
    const before = (await api.call("GET", `/v1/deliveries/${formatId("dlv", waiting)}`)).body;
    const body = { targets: [shownTarget(target)], event_type: type };
    expect((await replay(api, body)).replay.targets).toEqual([{ target: shownTarget(target), ...NONE, skipped: 5 }]);
    const expected = [{ target: shownTarget(target), ...NONE, retried: 3, skipped: 2 }];
    expect((await post(api, { ...body, again: true, dry_run: true })).body.targets).toEqual(expected);
    expect((await replay(api, { ...body, again: true })).replay.targets).toEqual(expected);
    expect(await eventsOf(api, target)).toEqual(ids);
    const { data } = (await api.call("GET", `/v1/deliveries?target=${shownTarget(target)}&order=oldest`)).body;
    expect(data.map(({ status }: { status: string }) => status)).toEqual(Array(5).fill("pending"));
    expect((await api.call("GET", `/v1/deliveries/${formatId("dlv", waiting)}`)).body).toEqual(before);
  });

  test("asks the subscription and the filter of each target, unless it is told not to", async ({ api }) => {
    const { type, ids } = await seedEvents(api, 4);
    const targets = [
      await seedTarget(api.db),
      await seedTarget(api.db, { subscribedEvents: ["video.*"] }),
      await seedTarget(api.db, { filter: "event.data.n < 3 && source == 'gemini'" }),
      await seedTarget(api.db, { filter: "event.data.n == 0 || event.data.missing == 1" }),
      await seedTarget(api.db, { state: "paused" }),
    ];
    const named = targets.map(shownTarget);
    const body = { targets: named, event_type: type };
    const counts = [
      { ...NONE, created: 4 },
      { ...NONE, not_matched: 4 },
      { ...NONE, created: 3, not_matched: 1 },
      { ...NONE, created: 1, filter_errors: 3 },
      { ...NONE, created: 4 },
    ].map((each, index) => ({ target: named[index], ...each }));
    const dry = await post(api, { ...body, dry_run: true });
    expect(dry.status).toBe(200);
    expect(dry.body).toEqual({
      total: 4,
      matched: 4,
      failed: 0,
      complete: true,
      targets: counts,
      first_filter_error: { event: ids[1], target: named[3], error: expect.any(String) },
    });
    expect(await eventsOf(api, targets[0] ?? "")).toEqual([]);
    expect((await replay(api, body)).replay.targets).toEqual(counts);
    expect(await Promise.all(targets.map(async (id) => (await eventsOf(api, id)).length))).toEqual([4, 0, 3, 1, 4]);
    const all = await replay(api, { ...body, match_subscription: false });
    expect(all.replay.targets.map(({ created }: { created: number }) => created)).toEqual([0, 4, 1, 3, 0]);
  });

  test("selects events by an expression, and counts those on which it fails", async ({ api }) => {
    const { type, ids } = await seedEvents(api, 3);
    const target = await seedTarget(api.db);
    const body = { targets: [shownTarget(target)], event_type: type, filter: "event.data.n == 1" };
    expect((await post(api, { ...body, dry_run: true })).body).toMatchObject({ total: 3, matched: 1, failed: 0 });
    expect(await replay(api, body)).toMatchObject({ total: 3, done: 3, failed: 0, replay: { matched: 1 } });
    expect(await eventsOf(api, target)).toEqual([ids[1]]);
    const failing = { ...body, filter: "event.data.n == 0 || event.data.missing" };
    expect((await post(api, { ...failing, dry_run: true })).body).toMatchObject({ total: 3, matched: 1, failed: 2 });
    expect(await replay(api, failing)).toMatchObject({
      state: "succeeded",
      total: 3,
      done: 1,
      failed: 2,
      replay: { matched: 1, first_filter_error: { event: ids[1], target: null, error: expect.any(String) } },
    });
  });

  test.for([
    [{ event_type: "TYPE" }, 3],
    [{ event_type: "TYPE", source: "gemini" }, 3],
    [{ event_type: "TYPE", source: "api" }, 0],
    [{ event_type: "TYPE", until: "2020-01-01T00:00:00Z" }, 0],
    [{ event_type: "TYPE", since: "2100-01-01T00:00:00Z" }, 0],
    [{ event_type: "TYPE", label: "team:a" }, 1],
    [{ event_type: "TYPE", user_metadata: "job=nightly" }, 1],
    [{ event_type: "TYPE", user_metadata: "job" }, 2],
    [{ event_type: "TYPE", data_id: "batch_1" }, 1],
  ] as const)("with %j replays %i events", async ([filter, count], { api }) => {
    const type = makeType();
    await seedEvent(api, [], { type, labels: { team: "a" }, userMetadata: { job: "nightly" } });
    await seedEvent(api, [], { type, labels: { team: "b" }, userMetadata: { job: "daily" } });
    await seedEvent(api, [], { type, dataId: "batch_1" });
    const target = await seedTarget(api.db);
    const body = { ...filter, event_type: type, targets: [shownTarget(target)] };
    expect((await post(api, { ...body, dry_run: true })).body).toMatchObject({ total: count, matched: count });
    expect(await replay(api, body)).toMatchObject({ total: count, replay: { targets: [{ created: count }] } });
  });

  test("sends no test of a target to another target", async ({ api }) => {
    const [tested, other] = [await seedTarget(api.db), await seedTarget(api.db)];
    await storeRelayEvent(api.db, tested, "sluice.test");
    const body = { targets: [shownTarget(other)], event_type: "sluice.test", match_subscription: false };
    expect(await replay(api, body)).toMatchObject({ total: 1, done: 1, replay: { matched: 0 } });
    const [event] = await eventsOf(api, tested);
    const { deliveries } = (await api.call("POST", `/v1/events/${event}:replay`)).body;
    expect(deliveries).toEqual([]);
    expect(await eventsOf(api, other)).toEqual([]);
  });

  test.for([
    [{}, ["/targets"]],
    [{ all: true }, ["/targets"]],
    [{ targets: ["TARGET"] }, [""]],
    [{ targets: ["TARGET"], dry_run: true, again: true, match_subscription: false }, [""]],
    [{ targets: ["TARGET"], all: false }, ["/all"]],
    [{ targets: [], all: true }, ["/targets"]],
    [{ targets: ["TARGET", "TARGET"], all: true }, ["/targets/1"]],
    [{ targets: ["TARGET", "billing"], all: true }, ["/targets/1"]],
    [{ targets: ["TARGET", formatId("tgt", newId())], all: true }, ["/targets/1"]],
    [{ targets: Array.from({ length: 101 }, () => formatId("tgt", newId())), all: true }, ["/targets"]],
    [{ targets: ["TARGET"], source: "nobody" }, ["/source"]],
    [{ targets: ["TARGET"], filter: "event.type ==" }, ["/filter"]],
    [{ targets: ["TARGET"], filter: "event.type" }, ["/filter"]],
    [{ targets: ["TARGET"], filter: "" }, ["/filter"]],
    [{ targets: ["TARGET"], filter: null }, ["/filter"]],
    [{ targets: ["TARGET"], since: "yesterday" }, ["/since"]],
    [{ targets: ["TARGET"], label: "team" }, ["/label"]],
    [{ targets: ["TARGET"], all: true, again: "yes" }, ["/again"]],
    [{ targets: ["TARGET"], all: true, status: ["exhausted"], limit: 5 }, ["/status", "/limit"]],
  ] as const)("refuses %j and names %j", async ([body, pointers], { api }) => {
    const target = shownTarget(await seedTarget(api.db));
    const answer = await post(api, JSON.parse(JSON.stringify(body).replaceAll("TARGET", target)));
    expect(answer.status).toBe(400);
    expect(new Set(pointersOf(answer))).toEqual(new Set(pointers));
  });

  test("refuses a disabled target, also in a dry run", async ({ api }) => {
    const [enabled, disabled] = [await seedTarget(api.db), await seedTarget(api.db, { state: "disabled" })];
    for (const dry_run of [true, false]) {
      const refused = await post(api, { targets: [enabled, disabled].map(shownTarget), all: true, dry_run });
      expect(refused.body).toMatchObject({ status: 409, code: "target_disabled" });
      expect(pointersOf(refused)).toEqual(["/targets/1"]);
    }
    expect((await api.call("GET", "/v1/operations?state=running")).body.data).toEqual([]);
  });

  test("needs a body, and the scope write; an Idempotency-Key starts one operation", async ({ api }) => {
    expect((await api.call("POST", "/v1/events:replay")).status).toBe(400);
    const body = { targets: [shownTarget(await seedTarget(api.db))], event_type: makeType() };
    expect((await api.call("POST", "/v1/events:replay?dry_run=true", { body })).status).toBe(400);
    const key = await storeKey(api, ["read"]);
    expect((await api.call("POST", "/v1/events:replay", { body, key })).status).toBe(403);
    const headers = { "idempotency-key": newId() };
    const once = await post(api, body, headers);
    const again = await post(api, body, headers);
    expect(again.status).toBe(202);
    expect(again.body).toEqual(once.body);
    expect((await api.call("POST", `/v1/operations/${once.body.id}:cancel`)).body.state).toBe("cancelled");
    expect(await makeNextStep(api.db, STEP_SIZE)).toBeUndefined();
  });
});
