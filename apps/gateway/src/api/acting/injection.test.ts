// POST /v1/events: what an injected event looks like, who gets it, and what is refused.

import { describe, expect } from "vitest";

import { formatId, parseId } from "@sluice/shared/domain/ids";
import { getEventWithBody } from "@sluice/store/log/records";

import { ADMIN_KEY, pointersOf, storeKey, test, type TestApi } from "../../../../../tests/support/api/test-api.ts";
import { seedTarget } from "../../../../../tests/support/seed.ts";
import { createApi } from "../api.ts";

const given = { type: "batch.succeeded", data: { id: "batch_9" } };

const inject = (api: TestApi, changes: object = {}, headers: Record<string, string> = {}) =>
  api.call("POST", "/v1/events", { body: { ...given, ...changes }, headers });

describe("POST /v1/events", () => {
  test("stores the event as Gemini's thin payload, with a delivery for each target that matches", async ({ api }) => {
    const matching = await seedTarget(api.db, { filter: 'source == "api" && event.labels.team == "ml"' });
    const other = await seedTarget(api.db, { subscribedEvents: ["video.*"] });
    const timestamp = "2026-01-22T12:00:00+02:00";
    const answer = await inject(api, { timestamp, user_metadata: { job: "nightly" }, labels: { team: "ml" } });
    expect(answer.status).toBe(201);
    expect(answer.body).toMatchObject({ is_duplicate: false, webhook_id: expect.stringMatching(/^msg_/) });
    const shown = (await api.call("GET", `/v1/events/${answer.body.id}`)).body;
    const payload = { type: given.type, version: "v1", timestamp, data: given.data, user_metadata: { job: "nightly" } };
    expect(shown).toMatchObject({
      source: answer.body.source,
      scheme: "api",
      type: given.type,
      timestamp: "2026-01-22T10:00:00.000Z",
      user_metadata: { job: "nightly" },
      labels: { team: "ml" },
      payload,
    });
    const stored = await getEventWithBody(api.db, parseId("evt", answer.body.id, "id"));
    expect(stored?.body.toString()).toBe(JSON.stringify(payload));
    expect((await api.call("GET", `/v1/sources/${answer.body.source}`)).body.name).toBe("api");
    const { data } = (await api.call("GET", `/v1/deliveries?event=${answer.body.id}`)).body;
    expect(data).toHaveLength(answer.body.deliveries);
    expect(data).toContainEqual(
      expect.objectContaining({ target: formatId("tgt", matching), status: "pending", in_flight: false }),
    );
    expect(api.woken).toContain(matching);
    expect(api.woken).not.toContain(other);
  });

  test("keeps every digit of a number, in what targets get, in the log and in searches", async ({ api }) => {
    const body = `{"type":"batch.succeeded","data":{"id":"b","n":9007199254740993},"user_metadata":{"job":12345678901234567890}}`;
    const { id } = (await api.call("POST", "/v1/events", { body })).body;
    const stored = await getEventWithBody(api.db, parseId("evt", id, "id"));
    expect(stored?.body.toString()).toContain('"n":9007199254740993},"user_metadata":{"job":12345678901234567890}');
    const headers = { authorization: `Bearer ${ADMIN_KEY}` };
    const shown = await (await createApi(api).request(`/v1/events/${id}`, { headers })).text();
    expect(shown.match(/"job":12345678901234567890/g)).toHaveLength(2);
    expect(shown).toContain('"n":9007199254740993');
    const found = await api.call("GET", "/v1/events?user_metadata=job=12345678901234567890");
    expect(found.body.data).toMatchObject([{ id }]);
    expect((await api.call("GET", "/v1/events?user_metadata=job=12345678901234567168")).body.data).toEqual([]);
  });

  test("stores one event for all requests with the same source and webhook_id, also at the same time", async ({
    api,
  }) => {
    const changes = { source: "gemini", webhook_id: "msg_of_mine" };
    const answers = await Promise.all(Array.from({ length: 5 }, () => inject(api, changes)));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(4);
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
    expect(answers.find(({ status }) => status === 200)?.body).toMatchObject({ is_duplicate: true, deliveries: 0 });
    const elsewhere = await inject(api, { webhook_id: "msg_of_mine" });
    expect(elsewhere.status).toBe(201);
    const headers = { "idempotency-key": "of-this-event" };
    const [first, again] = [await inject(api, {}, headers), await inject(api, {}, headers)];
    expect(again.body).toEqual(first.body);
  });

  test.for([
    ["/type", { type: "batch succeeded" }],
    ["/type", { type: undefined }],
    ["/data", { data: [] }],
    ["/data", { data: undefined }],
    ["/data", { data: JSON.parse(`${'{"a":'.repeat(2_000)}1${"}".repeat(2_000)}`) }],
    ["/user_metadata", { user_metadata: { a: "\0" } }],
    ["/labels/a b", { labels: { "a b": "c" } }],
    ["/source", { source: "nobody" }],
    ["/source", { source: "src_01h455vb4pex5vsknk084sn02q" }],
    ["/webhook_id", { webhook_id: "a.b" }],
    ["/timestamp", { timestamp: "yesterday" }],
    ["/scheme", { scheme: "v1" }],
  ] as const)("names %s when it is not valid", async ([pointer, changes], { api }) => {
    const answer = await inject(api, changes);
    expect(answer.status).toBe(400);
    expect(pointersOf(answer)).toEqual([pointer]);
  });

  test.for(["1e999", `0.${"1".repeat(1_000)}`])(
    "refuses a number that would reach targets as another one: %s",
    async (number, { api }) => {
      const body = `{"type":"batch.succeeded","data":{"id":"b","n":${number}}}`;
      const answer = await api.call("POST", "/v1/events", { body });
      expect(answer.status).toBe(400);
      expect(answer.body.detail).toContain('the body has a number in "n"');
    },
  );

  test("keeps a number beyond all doubles, also where the log shows it", async ({ api }) => {
    const body = '{"type":"batch.succeeded","data":{"id":"b"},"user_metadata":{"n":1e400}}';
    const { id } = (await api.call("POST", "/v1/events", { body })).body;
    const headers = { authorization: `Bearer ${ADMIN_KEY}` };
    const shown = await (await createApi(api).request(`/v1/events/${id}`, { headers })).text();
    expect(shown).toContain(`"user_metadata":{"n":1${"0".repeat(400)}}`);
    expect(shown).toContain('"user_metadata":{"n":1e400}');
  });

  test("refuses the types of the relay's own events", async ({ api }) => {
    const answer = await inject(api, { type: "sluice.source.drift" });
    expect(answer.status).toBe(400);
    expect(pointersOf(answer)).toEqual(["/type"]);
  });

  test("needs the scope write", async ({ api }) => {
    const key = await storeKey(api, ["read"]);
    expect((await api.call("POST", "/v1/events", { body: given, key })).body.code).toBe("forbidden");
  });
});
