// Every filter of the log, on one row that it matches and one that it does not.

import { describe, expect } from "vitest";

import { formatId, newId } from "@sluice/shared/domain/ids";
import { currentPosition } from "@sluice/store/journal/changes";
import { readTail } from "@sluice/store/journal/tail";

import { pointersOf, recordAttempt, seedEvent, test, type TestApi } from "../../../../../tests/support/api/test-api.ts";
import { sealCursor, unsealCursor } from "../http/cursor.ts";

const idsOf = async (api: TestApi, path: string) => {
  const answer = await api.call("GET", path);
  expect(answer.body).toMatchObject({ next_cursor: null });
  return (answer.body.data as { id: string }[]).map(({ id }) => id);
};

/**
 * Stores two events with one delivery each. The first delivery had two attempts, is exhausted and has an error; the
 * second waits for its first attempt.
 */
async function seed(api: TestApi) {
  const [target, other] = [newId(), newId()];
  const webhookId = `msg_${newId()}`;
  const dataId = `batch_${newId()}`;
  const named = await seedEvent(api, [target], {
    type: "video.generated",
    webhookId,
    dataId,
    labels: { team: webhookId },
    userMetadata: { [webhookId]: "a=b" },
  });
  const unnamed = await seedEvent(api, [other], {
    sourceId: newId(),
    labels: { team: "b" },
    userMetadata: { job: "c" },
  });
  const [delivery = ""] = named.deliveryIds;
  const [waiting = ""] = unnamed.deliveryIds;
  await recordAttempt(api, delivery, { status: "pending", retryInMs: 1 }, { statusCode: 503 });
  await api.db.pool.query("UPDATE deliveries SET leased_by = NULL WHERE id = $1", [delivery]);
  await recordAttempt(api, delivery, { status: "succeeded" }, { number: 2, trigger: "retry", statusCode: 207 });
  await api.db.pool.query(
    "UPDATE deliveries SET status = 'exhausted', last_status_code = NULL, last_error = $2 WHERE id = $1",
    [delivery, "connection: Certificate 100% expired"],
  );
  const ofEvent = [
    `event_type=video.*`,
    `event_type=video.generated`,
    `webhook_id=${webhookId}`,
    `data_id=${dataId}`,
    `label=team:${webhookId}`,
    `user_metadata=${webhookId}`,
    `user_metadata=${webhookId}=a%3Db`,
  ];
  return { named, unnamed, delivery, waiting, target, ofEvent, source: `source=gemini` };
}

describe("filters of the log", () => {
  test("return the events, deliveries and attempts that they match, in either order", async ({ api }) => {
    const { named, unnamed, delivery, waiting, target, ofEvent, source } = await seed(api);
    const event = formatId("evt", named.eventId);
    const shown = formatId("dlv", delivery);
    const ofDelivery = [...ofEvent, `event=${event}`, `target=${formatId("tgt", target)}`, source];
    for (const order of ["newest", "oldest"]) {
      for (const query of [...ofEvent, source]) {
        const found = await idsOf(api, `/v1/events?order=${order}&${query}`);
        expect(found, query).toContain(event);
        expect(found, query).not.toContain(formatId("evt", unnamed.eventId));
      }
      const ofState = [
        "status=exhausted&status=cancelled",
        "status_code=none",
        "error=certificate%20100%25",
        "min_attempts=2",
      ];
      for (const query of [...ofDelivery, ...ofState]) {
        const found = await idsOf(api, `/v1/deliveries?order=${order}&${query}`);
        expect(found, query).toContain(shown);
        expect(found, query).not.toContain(formatId("dlv", waiting));
      }
      const ofAttempt = [`delivery=${shown}`, "status_code=5xx&status_code=207"];
      for (const query of [...ofDelivery, ...ofAttempt]) {
        const { body } = await api.call("GET", `/v1/attempts?order=${order}&${query}`);
        const numbers = body.data
          .filter((each: { delivery: string }) => each.delivery === shown)
          .map((each: { number: number }) => each.number);
        expect(numbers, query).toEqual(order === "oldest" ? [1, 2] : [2, 1]);
      }
    }
    const one = async (query: string) => {
      const { body } = await api.call("GET", `/v1/attempts?delivery=${shown}&${query}`);
      return body.data.map((each: { number: number }) => each.number) as number[];
    };
    expect(await one("trigger=retry")).toEqual([2]);
    expect(await one("trigger=initial&trigger=manual")).toEqual([1]);
    expect(await one("min_attempts=2")).toEqual([2]);
    expect(await one("status_code=503")).toEqual([1]);
    expect(await one("status_code=2xx")).toEqual([2]);
    expect(await one("status_code=404&error=x")).toEqual([]);
  });

  test("an event is read with its deliveries and their attempts, and its body byte for byte", async ({ api }) => {
    const { named, delivery } = await seed(api);
    const path = `/v1/events/${formatId("evt", named.eventId)}`;
    const { body } = await api.call("GET", path);
    expect(body.deliveries).toMatchObject([
      { id: formatId("dlv", delivery), attempts: [{ number: 1 }, { number: 2 }] },
    ]);
    const [attempt] = body.deliveries[0].attempts;
    expect((await api.call("GET", `/v1/attempts/${attempt.id}`)).body).toEqual(attempt);
    expect((await api.call("GET", `/v1/attempts/${formatId("att", newId())}`)).body).toMatchObject({
      code: "not_found",
    });
    const raw = await api.call("GET", `${path}/body`);
    expect(raw.body).toEqual({ type: "batch.succeeded", data: { id: "batch_1" } });
    expect(Object.fromEntries(raw.headers)).toMatchObject({
      "content-type": "application/json",
      "x-content-type-options": "nosniff",
      "content-disposition": `attachment; filename="${formatId("evt", named.eventId)}"`,
      "content-security-policy": "sandbox; default-src 'none'",
    });
    expect((await api.call("GET", `/v1/events/${formatId("evt", newId())}/body`)).body).toMatchObject({
      code: "not_found",
    });
  });

  test.for([
    ["deliveries?status=done", "?status"],
    ["deliveries?status_code=6xx", "?status_code"],
    ["deliveries?status_code=5XX", "?status_code"],
    ["deliveries?min_attempts=0", "?min_attempts"],
    ["deliveries?error=", "?error"],
    ["deliveries?data_id=%00", "?data_id"],
    ["deliveries?user_metadata==a", "?user_metadata"],
    ["deliveries?label=team", "?label"],
    ["deliveries?order=random", "?order"],
    ["deliveries?trigger=manual", "?trigger"],
    ["attempts?trigger=nobody", "?trigger"],
    ["attempts?delivery=dlv_1", "?delivery"],
    ["attempts?status=pending", "?status"],
    ["events?target=tgt_1", "?target"],
    ["rejections?remote_address=here", "?remote_address"],
    ["rejections?error=%00", "?error"],
  ] as const)("refuse %s and name %s", async ([path, pointer], { api }) => {
    const answer = await api.call("GET", `/v1/${path}`);
    expect(answer.status).toBe(400);
    expect(pointersOf(answer)).toEqual([pointer]);
  });

  const numbers = ["9007199254740993", "-9007199254740993", "12345678901234567890123", "100000000000000000000"];
  test.for(["null", ...numbers])("user_metadata=key=%s matches the value exactly", async (text, { api }) => {
    const key = `key-${newId()}`;
    const inject = async (value: string) => {
      const body = `{"type":"batch.succeeded","data":{"id":"b"},"user_metadata":{"${key}":${value}}}`;
      return (await api.call("POST", "/v1/events", { body })).body.id;
    };
    const id = await inject(text);
    const ofText = await inject(`"${text}"`);
    await inject("1");
    await inject("9007199254740992");
    await inject('"Null"');
    for (const order of ["newest", "oldest"]) {
      const found = await idsOf(api, `/v1/events?order=${order}&user_metadata=${key}=${text}`);
      expect(new Set(found)).toEqual(new Set([id, ofText]));
    }
    expect(await idsOf(api, `/v1/events?user_metadata=${key}`)).toHaveLength(5);
    expect(await idsOf(api, `/v1/events?user_metadata=other=${text}`)).toEqual([]);
  });

  test("several labels and several entries of user_metadata must all match, in any order, in lists and operations", async ({
    api,
  }) => {
    const [target, team] = [newId(), `team-${newId()}`];
    const store = async (labels: Record<string, string>, userMetadata: Record<string, unknown>) => {
      const { eventId, deliveryIds } = await seedEvent(api, [target], { labels: { team, ...labels }, userMetadata });
      await recordAttempt(api, deliveryIds[0] ?? "", { status: "exhausted" });
      return { event: formatId("evt", eventId), delivery: formatId("dlv", deliveryIds[0] ?? "") };
    };
    const position = await currentPosition(api.db);
    const both = await store({ stage: "live" }, { job: "a", run: 1 });
    await store({ stage: "test" }, { job: "a", run: 1 });
    await store({ stage: "live" }, { job: "a", run: 2 });
    const filters = ["label=stage:live", `label=team:${team}`, "user_metadata=job=a", "user_metadata=run=1"];
    for (const query of [filters.join("&"), filters.toReversed().join("&")]) {
      expect(await idsOf(api, `/v1/events?${query}`)).toEqual([both.event]);
      expect(await idsOf(api, `/v1/deliveries?${query}`)).toEqual([both.delivery]);
      const { body } = await api.call("GET", `/v1/attempts?${query}`);
      expect(body.data).toMatchObject([{ delivery: both.delivery, event: both.event }]);
    }
    const label = [
      { key: "stage", value: "live" },
      { key: "team", value: team },
    ];
    const tailed = await readTail(api.db, { label, userMetadata: [{ key: "run", value: "1" }] }, position);
    const messages = tailed.steps.flatMap((step) => step.messages);
    expect(messages.map(({ kind }) => kind).toSorted()).toEqual(["attempt", "delivery", "delivery", "event"]);
    const given = await api.call("GET", `/v1/tail?${filters.join("&")}`);
    expect(given.status).toBe(200);

    const { body: page } = await api.call("GET", `/v1/events?limit=1&label=team:${team}&label=team:${team}`);
    const next = `/v1/events?limit=1&label=team:${team}&cursor=${page.next_cursor}`;
    expect((await api.call("GET", next)).status).toBe(200);

    const count = async (filter: object) =>
      (await api.call("POST", "/v1/deliveries:retry", { body: { ...filter, dry_run: true } })).body.total;
    expect(await count({ label: [`team:${team}`, "stage:live"], user_metadata: ["run=1", "job=a"] })).toBe(1);
    expect(await count({ label: `team:${team}` })).toBe(3);
  });

  test.for([
    ["label=team:a&label=team", "?label"],
    [Array.from({ length: 11 }, (_, index) => `user_metadata=k${index}`).join("&"), "?user_metadata"],
  ] as const)("refuse %s", async ([query, pointer], { api }) => {
    const answer = await api.call("GET", `/v1/events?${query}`);
    expect([answer.status, pointersOf(answer)]).toEqual([400, [pointer]]);
  });

  test("a cursor of a list with its oldest rows first is refused when the journal does not reach back to it", async ({
    api,
  }) => {
    const { body } = await api.call("GET", "/v1/events?order=oldest&label=nobody:a");
    expect(body).toMatchObject({ data: [], next_cursor: null, resume_cursor: expect.any(String) });
    const path = "/v1/events?order=oldest&label=nobody:a&cursor=";
    expect((await api.call("GET", path + body.resume_cursor)).body).toMatchObject({ data: [], next_cursor: null });
    const content = unsealCursor(body.resume_cursor).toString("latin1");
    const old = content.replace(/@\d+_(.*)~.*$/, `@${Date.now() - 24 * 3_600_000}_$1`);
    const answer = await api.call("GET", path + sealCursor(Buffer.from(old, "latin1")));
    expect(answer).toMatchObject({ status: 400, body: { code: "invalid_cursor" } });
    expect(answer.body.detail).toContain("older than 23 hours");
  });

  test.for([
    ["application/json; charset=utf-8", "application/json; charset=utf-8"],
    ["application/problem+json", "application/octet-stream"],
    ["text/html", "application/octet-stream"],
    ["text/caf\u00e9", "application/octet-stream"],
    [null, "application/octet-stream"],
  ] as const)("a body that came as %s is answered as %s", async ([contentType, answered], { api }) => {
    const { eventId } = await seedEvent(api, [], { contentType });
    const { headers } = await api.call("GET", `/v1/events/${formatId("evt", eventId)}/body`);
    expect(headers.get("content-type")).toBe(answered);
    expect(headers.get("sluice-content-type")).toBe(contentType === "text/caf\u00e9" ? null : contentType);
  });

  test("a value that is empty is refused in the words of every other field", async ({ api }) => {
    const answer = await api.call("GET", "/v1/deliveries?label=");
    expect(answer.body.errors[0]).toEqual({ pointer: "?label", detail: "must not be empty" });
  });

  test("a cursor is accepted only in the order of its list", async ({ api }) => {
    await seed(api);
    const { next_cursor: cursor } = (await api.call("GET", "/v1/deliveries?limit=1&order=oldest")).body;
    expect((await api.call("GET", `/v1/deliveries?limit=1&order=oldest&cursor=${cursor}`)).status).toBe(200);
    expect((await api.call("GET", `/v1/deliveries?limit=1&cursor=${cursor}`)).body).toMatchObject({
      code: "invalid_cursor",
    });
  });
});
