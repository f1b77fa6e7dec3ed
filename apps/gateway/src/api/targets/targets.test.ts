import { describe, expect } from "vitest";

import { formatId, newId, readId } from "@sluice/shared/domain/ids";
import { getTarget } from "@sluice/store/configuration/targets";
import { targetsPart } from "@sluice/store/configuration/targets-part";

import {
  type Answer,
  pointersOf,
  readSecret,
  seedEvent,
  test,
  type TestApi,
} from "../../../../../tests/support/api/test-api.ts";

const minimal = { uri: "http://billing.internal:3000/gemini", subscribed_events: ["*"] };

const create = (api: TestApi, body: object = {}) => api.call("POST", "/v1/targets", { body: { ...minimal, ...body } });

const change = (api: TestApi, { body }: Answer, fields: object) =>
  api.call("PATCH", `/v1/targets/${body.id}`, { body: fields });

const uuidOf = ({ body }: Answer) => readId("tgt", body.id) ?? "";

/** A target as a worker holds it in memory. */
const findLoaded = async (api: TestApi, id: string) =>
  (await targetsPart(api.masterKey).load(api.db, undefined)).value.get(id);

describe("creating a target", () => {
  test("the answer has the target with its defaults, and shows its secret once", async ({ api }) => {
    const answer = await create(api);
    const { new_signing_secret: secret, ...target } = answer.body;
    expect(answer.status).toBe(201);
    expect(answer.headers.get("location")).toBe(`/v1/targets/${target.id}`);
    expect(target).toEqual({
      id: expect.stringMatching(/^tgt_/),
      name: "billing.internal:3000",
      kind: "http",
      uri: minimal.uri,
      subscribed_events: ["*"],
      state: "enabled",
      state_reason: null,
      state_changed_at: expect.stringMatching(/Z$/),
      health: {
        breaker: "closed",
        open_until: null,
        failing_since: null,
        last_success_at: null,
        last_failure_at: null,
      },
      headers: {},
      timeout_seconds: 20,
      max_in_flight: 64,
      rate_limit: null,
      retry: { base_seconds: 5, cap_seconds: 3600, horizon_seconds: 86_400 },
      delete_after_idle_seconds: null,
      last_pulled_at: null,
      lost_secrets: [],
      filter: null,
      tls: null,
      signing_secrets: [{ truncated_secret: `whsec_...${secret.slice(-4)}`, expire_time: null }],
      managed_by: null,
      created_at: expect.stringMatching(/Z$/),
      updated_at: expect.stringMatching(/Z$/),
    });
    expect((await api.call("GET", `/v1/targets/${target.id}`)).body).toEqual(target);
    const stored = await findLoaded(api, uuidOf(answer));
    expect(stored?.hmacKeys.map(({ key }) => key.export())).toEqual([readSecret(secret).key.export()]);
  });

  test("every setting is stored", async ({ api }) => {
    const body = {
      name: "Billing",
      uri: "https://billing.example/hooks?tenant=1",
      subscribed_events: ["batch.*", "video.generated", "a-b_c.D9"],
      state: "paused",
      headers: { "x-tenant": "1", "user-agent": "billing" },
      timeout_seconds: 30,
      max_in_flight: 1000,
      rate_limit: { requests: 1_000_000, per_seconds: 3_600 },
      retry: { base_seconds: 0.05, cap_seconds: 0.05, horizon_seconds: 604_800 },
      filter: 'event.labels.team == "billing"',
    };
    const headers = { "x-tenant": "[redacted]", "user-agent": "[redacted]" };
    expect((await create(api, body)).body).toMatchObject({ ...body, headers });
  });

  test("the answer names all wrong fields at once", async ({ api }) => {
    const answer = await api.call("POST", "/v1/targets", {
      body: {
        name: "",
        uri: "ftp://a.example",
        subscribed_events: [],
        state: "disabled_due_to_failed_deliveries",
        headers: { host: "a" },
        timeout_seconds: 31,
        max_in_flight: 0,
        rate_limit: { requests: 0, per_seconds: 3_601 },
        retry: { base_seconds: 0, cap_seconds: 86_401, horizon_seconds: 0.5, jitter: true },
        filter: "event.type ==",
        signing_secret: "whsec_",
      },
    });
    expect(answer.status).toBe(400);
    expect(answer.body.errors).toEqual([
      { pointer: "/name", detail: "must not be empty" },
      { pointer: "/uri", detail: "must be an absolute http or https URL" },
      { pointer: "/subscribed_events", detail: "must not be empty" },
      { pointer: "/state", detail: 'must be one of "enabled", "paused", "disabled"' },
      { pointer: "/headers/host", detail: "is a header that the relay sets" },
      { pointer: "/timeout_seconds", detail: "must be at most 30" },
      { pointer: "/max_in_flight", detail: "must be at least 1" },
      { pointer: "/rate_limit/requests", detail: "must be at least 1" },
      { pointer: "/rate_limit/per_seconds", detail: "must be at most 3600" },
      { pointer: "/retry/base_seconds", detail: "must be at least 0.05" },
      { pointer: "/retry/cap_seconds", detail: "must be at most 86400" },
      { pointer: "/retry/horizon_seconds", detail: "must be at least 1" },
      { pointer: "/retry/jitter", detail: "is not a field of this body" },
      {
        pointer: "/filter",
        detail: "must be a CEL expression that gives a bool: line 1, column 14: Unexpected token: EOF",
      },
      { pointer: "/signing_secret", detail: "is not a field of this body" },
    ]);
  });

  test("uri and subscribed_events are required", async ({ api }) => {
    expect((await api.call("POST", "/v1/targets", { body: {} })).body.errors).toEqual([
      { pointer: "/subscribed_events", detail: "is required" },
      { pointer: "/uri", detail: "is required for a target that the relay sends to" },
    ]);
  });

  test.for([
    ["/relative", "absolute http or https"],
    ["a.example", "absolute http or https"],
    ["http:a.example", "absolute http or https"],
    ["http:\\\\a.example", "absolute http or https"],
    ["http://", "absolute http or https"],
    ["http://a.example:99999/", "absolute http or https"],
    ["http://a b/", "absolute http or https"],
    [" http://a.example/", "absolute http or https"],
    ["http://a.example/\u0000", "absolute http or https"],
    ["http://a.example/\r\nx: y", "absolute http or https"],
    ["http://user:password@a.example/", "must not hold credentials"],
    ["http://user@a.example/", "must not hold credentials"],
    ["http://a.example/#part", "must not have a fragment"],
    ["http://a.example/#", "must not have a fragment"],
    [`http://a.example/${"a".repeat(2048)}`, "must have at most 2048 characters"],
  ] as const)("the uri %j is refused", async ([uri, detail], { api }) => {
    const answer = await create(api, { uri });
    expect(answer.body).toMatchObject({ status: 400, errors: [{ pointer: "/uri" }] });
    expect(answer.body.errors[0].detail).toContain(detail);
  });

  test.for([
    [["**"], "/subscribed_events/0", "must be the name of an event"],
    [["batch.*", "*.succeeded"], "/subscribed_events/1", "must be the name of an event"],
    [["batch*"], "/subscribed_events/0", "must be the name of an event"],
    [[".*"], "/subscribed_events/0", "must be the name of an event"],
    [[""], "/subscribed_events/0", "must be the name of an event"],
    [["a b"], "/subscribed_events/0", "must be the name of an event"],
    [["a".repeat(129)], "/subscribed_events/0", "must be the name of an event"],
    [[1], "/subscribed_events/0", "must be a string"],
    [["a", "b", "a"], "/subscribed_events/2", "is in the list already"],
    [Array.from({ length: 101 }, (_, i) => `e${i}`), "/subscribed_events", "must have at most 100 entries"],
    ["batch.*", "/subscribed_events", "must be a list"],
  ] as const)("the subscription %j is refused", async ([subscribed_events, pointer, detail], { api }) => {
    const answer = await create(api, { subscribed_events });
    expect(answer.body).toMatchObject({ status: 400, errors: [{ pointer }] });
    expect(answer.body.errors[0].detail).toContain(detail);
  });

  test.for([
    ["webhook-id", "1", "relay sets"],
    ["Content-Encoding", "gzip", "relay sets"],
    ["Sluice-Event-Id", "1", "relay sets"],
    ["Content-Type", "text/plain", "relay sets"],
    ["content-length", "1", "relay sets"],
    ["Connection", "close", "of the connection"],
    ["transfer-encoding", "chunked", "of the connection"],
    ["keep-alive", "1", "of the connection"],
    ["TE", "trailers", "of the connection"],
    ["trailer", "x", "of the connection"],
    ["upgrade", "h2c", "of the connection"],
    ["expect", "100-continue", "of the connection"],
    ["x y", "1", "must be the name of a header"],
    ["x:y", "1", "must be the name of a header"],
    ["", "1", "must be the name of a header"],
    ["x-é", "1", "must be the name of a header"],
    ["x-a", "1\r\nx-b: 2", "without control characters"],
    ["x-a", "a\u0000", "without control characters"],
    ["x-a", "€", "latin1"],
    ["x-a", "a".repeat(4097), "at most 4096"],
    ["x-a", 1, "must be a string"],
    ["__proto__", "1", "is a name that cannot be used"],
  ] as const)("the header %j with the value %j is refused", async ([name, value, detail], { api }) => {
    const answer = await create(api, { headers: { [name]: value } });
    expect(answer.body).toMatchObject({ status: 400, errors: [{ pointer: `/headers/${name}` }] });
    expect(answer.body.errors[0].detail).toContain(detail);
  });

  test("a target has at most 50 headers, and their names ignore case", async ({ api }) => {
    const many = Object.fromEntries(Array.from({ length: 51 }, (_, i) => [`x-${i}`, "1"]));
    expect((await create(api, { headers: many })).body.errors).toEqual([
      { pointer: "/headers", detail: "must have at most 50 entries" },
    ]);
    expect(pointersOf(await create(api, { headers: { "x-a": "1", "X-A": "2" } }))).toEqual(["/headers/X-A"]);
    expect((await create(api, { headers: ["x-a"] })).body.errors[0].detail).toBe("must be an object");
  });

  test("the cap of the backoff must not be below its base, even if only one of them is given", async ({ api }) => {
    const both = await create(api, { retry: { base_seconds: 10, cap_seconds: 5 } });
    expect(both.body.errors).toEqual([
      { pointer: "/retry/cap_seconds", detail: "must keep cap_seconds (5) at or above base_seconds (10)" },
    ]);
    const target = await create(api, { retry: { base_seconds: 1, cap_seconds: 60 } });
    expect(pointersOf(await change(api, target, { retry: { base_seconds: 61 } }))).toEqual(["/retry/base_seconds"]);
    expect(pointersOf(await change(api, target, { retry: { cap_seconds: 0.5 } }))).toEqual(["/retry/cap_seconds"]);
  });
});

describe("a target's filter", () => {
  const filter = 'event.type == "batch.failed" && source != "other"';

  test("is shown as it was written, can be replaced, and is removed with null", async ({ api }) => {
    const target = await create(api, { filter });
    expect(target.body.filter).toBe(filter);
    expect((await change(api, target, { timeout_seconds: 5 })).body.filter).toBe(filter);
    expect((await change(api, target, { filter: "true" })).body.filter).toBe("true");
    expect((await change(api, target, { filter: null })).body.filter).toBeNull();
    expect((await create(api, { filter: null })).body.filter).toBeNull();
  });

  test.for([
    ["event.type = 'a'", "line 1, column 12: Unexpected character: ="],
    ["event.type == 'a'\n  && typo", "line 2, column 6: Unknown variable: typo"],
    ["event.data.id", undefined],
    ["event.type", "line 1, column 1: must give a bool, but gives a string"],
    ["event.data.id.matches('[')", "line 1, column 23: the pattern is not valid in RE2"],
    ["", "must not be empty"],
    ["x".repeat(2001), "must have at most 2000 characters"],
    ["event.type == '\0'", "must be valid Unicode text without NUL"],
    [7, "must be a string"],
    [["true"], "must be a string"],
  ] as const)(
    "%j is refused with the position of its fault, on creation and on change",
    async ([text, detail], { api }) => {
      const target = await create(api, { filter });
      for (const answer of [await create(api, { filter: text }), await change(api, target, { filter: text })]) {
        if (detail === undefined) {
          expect(answer.body.filter).toBe(text);
          continue;
        }
        expect(answer.body).toMatchObject({ status: 400, code: "invalid_request", errors: [{ pointer: "/filter" }] });
        expect(answer.body.errors).toHaveLength(1);
        expect(answer.body.errors[0].detail).toContain(detail);
      }
    },
  );

  test("is loaded as a filter that matches nothing if it is no longer valid", async ({ api }) => {
    const target = await create(api, { filter });
    await api.db.pool.query("UPDATE targets SET filter = 'event.gone()' WHERE id = $1", [uuidOf(target)]);
    const loaded = await findLoaded(api, uuidOf(target));
    const input = {
      event: { type: "a", data: null, user_metadata: {}, labels: {}, body_unbound: false },
      source: "gemini",
    };
    expect(loaded?.filter?.matches(input)).toEqual({
      error: expect.stringContaining("the filter of this target is not valid"),
    });
    expect((await change(api, target, { name: "still there" })).body.filter).toBe("event.gone()");
  });
});

describe("the values of headers", () => {
  const headers = { Authorization: "Bearer 1", private: "1", "X-Api-Key-Id": "1", "x-tenant": "7" };

  test("are stored encrypted and never shown, regardless of the names", async ({ api }) => {
    const target = await create(api, { headers });
    const shown = Object.fromEntries(Object.keys(headers).map((name) => [name, "[redacted]"]));
    const page = await api.call("GET", "/v1/targets?limit=1");
    const changed = await change(api, target, { timeout_seconds: 5 });
    for (const answer of [target.body, page.body.data[0], changed.body]) expect(answer.headers).toEqual(shown);
    expect((await getTarget(api.db, api.masterKey, uuidOf(target)))?.headers).toEqual(headers);
    const row = await api.db.pool.query("SELECT headers_ciphertext AS sealed FROM targets WHERE id = $1", [
      uuidOf(target),
    ]);
    expect(row.rows[0].sealed.toString("latin1")).not.toContain("Bearer");
  });

  test("stay if the caller sends back what the API showed", async ({ api }) => {
    const target = await create(api, { headers });
    const changed = await change(api, target, {
      headers: { authorization: "[redacted]", "x-tenant": "8", private: "[redacted]", "x-new": "1" },
    });
    expect(Object.keys(changed.body.headers)).toEqual(["authorization", "x-tenant", "private", "x-new"]);
    const stored = (await getTarget(api.db, api.masterKey, uuidOf(target)))?.headers;
    expect(stored).toEqual({ authorization: "Bearer 1", "x-tenant": "8", private: "1", "x-new": "1" });
  });

  test("are refused if they are redacted and no value is stored", async ({ api }) => {
    const redacted = { headers: { "x-tenant": "[redacted]" } };
    expect(pointersOf(await create(api, redacted))).toEqual(["/headers/x-tenant"]);
    expect(pointersOf(await change(api, await create(api), redacted))).toEqual(["/headers/x-tenant"]);
  });
});

const storedHeaders = async (api: TestApi, target: Answer) =>
  (await getTarget(api.db, api.masterKey, uuidOf(target)))?.headers;

describe("the values of headers do not go to another origin", () => {
  const headers = { authorization: "Bearer 1", "x-tenant": "7" };
  const uri = "https://billing.example/hooks";

  test.for(["https://other.example/hooks", "http://billing.example/hooks", "https://billing.example:8443/hooks"])(
    "with a change to %s alone they are dropped, and with one that gives values these are stored",
    async (elsewhere, { api }) => {
      const target = await create(api, { uri, headers });
      expect((await change(api, target, { uri: elsewhere })).body.headers).toEqual({});
      expect(await storedHeaders(api, target)).toEqual({});
      const other = await create(api, { uri, headers });
      await change(api, other, { uri: elsewhere, headers: { authorization: "Bearer 2" } });
      expect(await storedHeaders(api, other)).toEqual({ authorization: "Bearer 2" });
    },
  );

  test("a redacted value is refused with a change of the origin, and nothing is changed", async ({ api }) => {
    const target = await create(api, { uri, headers });
    const moved = { uri: "https://other.example/hooks", headers: { authorization: "[redacted]" } };
    expect(pointersOf(await change(api, target, moved))).toEqual(["/headers/authorization"]);
    expect(await storedHeaders(api, target)).toEqual(headers);
  });

  test("another path of the same origin keeps them", async ({ api }) => {
    const target = await create(api, { uri, headers });
    await change(api, target, { uri: "https://billing.example:443/other" });
    expect(await storedHeaders(api, target)).toEqual(headers);
  });

  test("a change through the WebhookService drops them too", async ({ api }) => {
    const target = await create(api, { uri, headers });
    const path = `/v1/webhooks/${target.body.id}`;
    await api.call("PATCH", path, { body: { uri: "https://billing.example/other" } });
    expect(await storedHeaders(api, target)).toEqual(headers);
    await api.call("PATCH", path, { body: { uri: "https://other.example/hooks" } });
    expect(await storedHeaders(api, target)).toEqual({});
  });
});

describe("changing a target", () => {
  test("to what it is changes nothing, and leaves no entry in the audit trail", async ({ api }) => {
    const body = {
      ...minimal,
      headers: { authorization: "Bearer a", "x-team": "b" },
      rate_limit: { requests: 5, per_seconds: 1 },
      filter: "true",
      retry: { base_seconds: 7 },
    };
    const created = await create(api, body);
    const etag = created.headers.get("etag");
    const { "x-team": team, authorization } = body.headers;
    for (const same of [
      {},
      body,
      { headers: { authorization: "[redacted]", "x-team": "b" } },
      { headers: { "x-team": team, authorization } },
    ]) {
      expect((await change(api, created, same)).headers.get("etag")).toBe(etag);
    }
    const entries = async () =>
      (await api.call("GET", `/v1/audit?resource=${created.body.id}&action=target.updated`)).body.data.length;
    expect(await entries()).toBe(0);
    // The answer shows no value of a header, but a new value is a change.
    const changed = await change(api, created, { headers: { authorization: "Bearer c", "x-team": "b" } });
    expect(changed.headers.get("etag")).not.toBe(etag);
    expect(await entries()).toBe(1);
    expect((await findLoaded(api, uuidOf(created)))?.headers.authorization).toBe("Bearer c");
  });

  test("a change merges retry, replaces headers, and leaves all other fields as they are", async ({ api }) => {
    const target = await create(api, { name: "n", headers: { "x-a": "1", "x-b": "2" }, retry: { cap_seconds: 60 } });
    const { new_signing_secret: _, ...before } = target.body;
    const fields = { name: "m", timeout_seconds: 5, headers: { "x-c": "3" }, retry: { horizon_seconds: 120 } };
    const after = await change(api, target, fields);
    expect(after.status).toBe(200);
    expect(after.body).toEqual({
      ...before,
      name: "m",
      timeout_seconds: 5,
      headers: { "x-c": "[redacted]" },
      retry: { base_seconds: 5, cap_seconds: 60, horizon_seconds: 120 },
      updated_at: expect.any(String),
    });
    expect((await change(api, target, { headers: {} })).body.headers).toEqual({});
    const rate = { requests: 10, per_seconds: 1 };
    expect((await change(api, target, { rate_limit: rate })).body.rate_limit).toEqual(rate);
    expect((await change(api, target, {})).body.rate_limit).toEqual(rate);
    expect((await change(api, target, { rate_limit: null })).body.rate_limit).toBeNull();
    expect((await change(api, target, {})).body).toMatchObject({ name: "m", timeout_seconds: 5 });
  });

  test("no change is lost if several happen at the same moment", async ({ api }) => {
    const target = await create(api);
    await Promise.all([
      change(api, target, { retry: { base_seconds: 1 } }),
      change(api, target, { retry: { cap_seconds: 7200 } }),
      change(api, target, { retry: { horizon_seconds: 60 } }),
      change(api, target, { max_in_flight: 1 }),
      change(api, target, { timeout_seconds: 1 }),
    ]);
    expect((await api.call("GET", `/v1/targets/${target.body.id}`)).body).toMatchObject({
      retry: { base_seconds: 1, cap_seconds: 7200, horizon_seconds: 60 },
      max_in_flight: 1,
      timeout_seconds: 1,
    });
  });

  test("only a change to enabled wakes a worker", async ({ api }) => {
    const target = await create(api, { state: "paused" });
    expect((await change(api, target, { state: "disabled" })).body.state).toBe("disabled");
    expect(api.woken).not.toContain(uuidOf(target));
    expect((await change(api, target, { state: "enabled" })).body.state).toBe("enabled");
    expect(api.woken).toContain(uuidOf(target));
  });

  test("a forbidden address is refused, and an allowed one is stored", async ({ api }) => {
    const given = await create(api);
    for (const uri of [
      "http://169.254.169.254/",
      "https://[::ffff:a9fe:a9fe]/",
      "http://0/",
      "http://2852039166:80/x",
    ]) {
      for (const answer of [await create(api, { uri }), await change(api, given, { uri })]) {
        expect(answer).toMatchObject({ status: 400, body: { code: "invalid_request" } });
        expect(pointersOf(answer)).toEqual(["/uri"]);
        expect(answer.body.errors[0].detail).toMatch(/^is a forbidden address: .*(link-local|unspecified)/);
      }
    }
    expect((await api.call("GET", `/v1/targets/${given.body.id}`)).body.uri).toBe(minimal.uri);
    expect((await change(api, given, { uri: "http://10.0.0.1/" })).status).toBe(200);
  });

  test("a refused change changes nothing", async ({ api }) => {
    const target = await create(api);
    expect((await change(api, target, { name: "x", retry: { base_seconds: 3600, cap_seconds: 1 } })).status).toBe(400);
    expect(pointersOf(await change(api, target, { uri: "http://u:p@a/", id: "tgt_" }))).toEqual(["/uri", "/id"]);
    const { new_signing_secret: _, ...before } = target.body;
    expect((await api.call("GET", `/v1/targets/${target.body.id}`)).body).toEqual(before);
  });
});

describe("deleting and listing targets", () => {
  test("a deleted target is gone, and its pending deliveries are cancelled", async ({ api }) => {
    const target = await create(api);
    const { deliveryIds } = await seedEvent(api, [uuidOf(target)]);
    expect((await api.call("DELETE", `/v1/targets/${target.body.id}`)).status).toBe(204);
    for (const method of ["GET", "DELETE", "PATCH"]) {
      const gone = await api.call(method, `/v1/targets/${target.body.id}`, method === "PATCH" ? { body: {} } : {});
      expect(gone.body).toMatchObject({ status: 404, code: "not_found" });
    }
    const delivery = await api.call("GET", `/v1/deliveries/${formatId("dlv", deliveryIds[0] ?? "")}`);
    expect(delivery.body).toMatchObject({ status: "cancelled", next_attempt_at: null, target: target.body.id });
    expect((await api.call("GET", `/v1/targets/${formatId("tgt", newId())}`)).status).toBe(404);
  });

  test("the pages of the list have every target once, newest first", async ({ api }) => {
    for (let i = 0; i < 3; i++) await create(api, { headers: { "x-i": String(i) } });
    const first = (await api.call("GET", "/v1/targets?limit=2")).body;
    const second = (await api.call("GET", `/v1/targets?limit=250&cursor=${first.next_cursor}`)).body;
    const ids = [...first.data, ...second.data].map(({ id }) => id as string);
    expect(first.data).toHaveLength(2);
    expect(second.next_cursor).toBeNull();
    expect(ids).toEqual([...new Set(ids)].toSorted().toReversed());
    const { rows } = await api.db.pool.query("SELECT count(*)::int AS count FROM targets");
    expect(ids).toHaveLength(rows[0].count);
  });
});
