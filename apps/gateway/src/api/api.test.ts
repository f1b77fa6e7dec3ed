import { describe, expect, inject } from "vitest";

import { exampleId } from "@sluice/shared/domain/ids";
import { SluiceError } from "@sluice/shared/runtime/errors";
import { Secret } from "@sluice/shared/settings/secret";
import { openDatabase } from "@sluice/store/connection/database";

import { A_SECRET, ADMIN_KEY, createTestApi, pointersOf, test } from "../../../../tests/support/api/test-api.ts";
import { minimalRequests } from "../../../../tests/support/minimal-requests.ts";
import { createApi } from "./api.ts";

const delivery = "/v1/deliveries/dlv_01h455vb4pex5vsknk084sn02q";

const refuse = () => {
  throw new SluiceError("unavailable", "PostgreSQL is not prepared yet", { retryAfterSeconds: 2 });
};

/** Paths whose endpoints do not use PostgreSQL: they read this process or the queue, or know the key from the environment. */
const WITHOUT_POSTGRES = /^\/metrics$|^\/v1\/system|^\/v1\/keys\/self$|^\/v1\/set-aside-events/;

/** Bodies for endpoints that check more than the schema in the document says. */
const BODIES: Record<string, string> = {
  "POST /v1/targets": JSON.stringify({ uri: "http://a.example/", subscribed_events: ["*"] }),
  [`POST /v1/targets/${exampleId("tgt")}:ack`]: JSON.stringify({
    results: [{ token: "A".repeat(43), status_code: 200, duration_ms: 1 }],
  }),
  "PUT /v1/targets/by-name/billing": JSON.stringify({ uri: "http://a.example/", subscribed_events: ["*"] }),
};

describe("requests", () => {
  test("a path without a route is a 404 problem", async ({ api }) => {
    for (const path of ["/v1", "/v1/nothing", "/v1/sources/", "/v1/sources/a/b", "/v2/sources", `${delivery}:fly`]) {
      const answer = await api.call("GET", path);
      expect(answer.status).toBe(404);
      expect(answer.headers.get("content-type")).toBe("application/problem+json");
      expect(answer.body).toEqual({
        type: "urn:sluice:problem:not_found",
        title: "There is no such resource",
        status: 404,
        detail: "There is nothing at this path",
        code: "not_found",
        request_id: answer.headers.get("x-request-id"),
      });
    }
  });

  test("a wrong method is answered with 405 and the methods that the path takes", async ({ api }) => {
    for (const [method, path, allow] of [
      ["DELETE", "/v1/sources", "GET, HEAD, POST, OPTIONS"],
      ["PUT", "/v1/targets/tgt_1", "GET, HEAD, PATCH, DELETE, OPTIONS"],
      ["GET", `${delivery}:retry`, "POST, OPTIONS"],
      ["HEAD", `${delivery}:retry`, "POST, OPTIONS"],
    ] as const) {
      const answer = await api.call(method, path);
      expect(answer.status).toBe(405);
      expect(answer.headers.get("allow")).toBe(allow);
      if (method !== "HEAD") expect(answer.body.code).toBe("method_not_allowed");
    }
  });

  test("HEAD is answered as GET, but without a body", async ({ api }) => {
    const answer = await api.call("HEAD", "/v1/sources");
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toBe("application/json");
    expect(answer.body).toBeUndefined();
  });

  test("no answer may be cached, and each has a request id", async ({ api }) => {
    const answers = [
      await api.call("GET", "/v1/sources"),
      await api.call("GET", "/v1/sources", { key: null }),
      await api.call("GET", "/v1/nothing"),
      await api.call("POST", "/v1/sources", { body: "{" }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 401, 404, 400]);
    for (const { headers } of answers) expect(headers.get("cache-control")).toBe("no-store");
    expect(new Set(answers.map(({ headers }) => headers.get("x-request-id"))).size).toBe(4);
  });

  test("the colon before a verb may be percent-encoded, and the internal form of the path is not reachable", async ({
    api,
  }) => {
    for (const path of [`${delivery}:retry`, `${delivery}%3Aretry`, `${delivery}%3aretry`]) {
      const answer = await api.call("POST", path);
      expect(answer.body).toMatchObject({ code: "not_found", detail: "There is no delivery with this id" });
    }
    for (const path of [`/%23retry${delivery}`, `/%2523retry${delivery}`, `${delivery}/:retry`, `${delivery}/retry`]) {
      const answer = await api.call("POST", path);
      expect(answer.body).toMatchObject({ code: "not_found", detail: "There is nothing at this path" });
    }
  });
});

describe("bodies", () => {
  test("a body that is not JSON is refused", async ({ api }) => {
    for (const body of ["{", "nonsense", "{'name': 1}", "\u0000"]) {
      const answer = await api.call("POST", "/v1/sources", { body });
      expect(answer.status).toBe(400);
      expect(answer.body).toMatchObject({
        code: "invalid_request",
        errors: [{ pointer: "", detail: "must be valid JSON" }],
      });
    }
  });

  test("JSON that is not an object is refused", async ({ api }) => {
    for (const body of ["null", "[]", '"text"', "1"]) {
      const answer = await api.call("POST", "/v1/sources", { body });
      expect(answer.body).toMatchObject({
        code: "invalid_request",
        errors: [{ pointer: "", detail: "must be an object" }],
      });
    }
  });

  test("another content type, or none, is answered with 415", async ({ api }) => {
    for (const type of ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""]) {
      const answer = await api.call("POST", "/v1/sources", { body: '{"name":"a"}', headers: { "content-type": type } });
      expect(answer.status).toBe(415);
      expect(answer.body.code).toBe("unsupported_media_type");
    }
  });

  test("a body over 256 KiB is answered with 413, with a Content-Length and without", async ({ api }) => {
    const body = `{"name":"${"a".repeat(256 * 1024)}"}`;
    const announced = await api.call("POST", "/v1/sources", { body });
    const chunked = await api.call("POST", "/v1/sources", { body, headers: { "transfer-encoding": "chunked" } });
    for (const answer of [announced, chunked]) {
      expect(answer.status).toBe(413);
      expect(answer.body).toMatchObject({ code: "payload_too_large", detail: "The body must be at most 262144 bytes" });
    }
  });

  test("every unknown field and parameter is refused, and the error names it", async ({ api }) => {
    const body = await api.call("POST", "/v1/sources", {
      body: { name: "x", colour: 1, "a/b~c": 2, ["__proto__"]: 3 },
    });
    expect(body.body.errors).toEqual([
      { pointer: "/colour", detail: "is not a field of this body" },
      { pointer: "/a~1b~0c", detail: "is not a field of this body" },
      { pointer: "/__proto__", detail: "is not a field of this body" },
    ]);
    const query = await api.call("GET", "/v1/sources?page=2&colour=red");
    expect(pointersOf(query)).toEqual(["?page", "?colour"]);
    for (const path of ["/v1/sources/src_1", "/v1/targets/tgt_1", "/v1/events/evt_1", delivery]) {
      expect(pointersOf(await api.call("GET", `${path}?pretty=1`))).toEqual(["?pretty"]);
    }
  });

  test("a parameter that is given twice is refused", async ({ api }) => {
    const answer = await api.call("GET", "/v1/deliveries?source=a&source=b");
    expect(answer.body.errors).toEqual([{ pointer: "?source", detail: "must be given once" }]);
  });

  test("a malformed id in a path is refused with the form that it must have", async ({ api }) => {
    for (const [path, prefix] of [
      ["/v1/sources/gemini", "src_"],
      ["/v1/targets/src_01h455vb4pex5vsknk084sn02q", "tgt_"],
      ["/v1/events/evt_", "evt_"],
      ["/v1/deliveries/dlv_81h455vb4pex5vsknk084sn02q", "dlv_"],
      ["/v1/deliveries/%00", "dlv_"],
    ] as const) {
      const answer = await api.call("GET", path);
      expect(answer.status).toBe(400);
      expect(answer.body).toMatchObject({ code: "invalid_id", errors: [{ pointer: "{id}" }] });
      expect(answer.body.errors[0].detail).toContain(prefix);
    }
  });
});

describe("failures", () => {
  test("while PostgreSQL is away, the environment's key and a stored key are answered with 503 and Retry-After", async ({
    api,
  }) => {
    const db = openDatabase({
      url: "postgres://nobody@127.0.0.1:1/none",
      applicationName: "sluice-test",
      maxConnections: 1,
      onError: () => {},
    });
    const app = createApi({ ...api, db, adminApiKey: new Secret(ADMIN_KEY) });
    for (const key of [ADMIN_KEY, "a-stored-key"]) {
      const response = await app.request("/v1/sources", { headers: { authorization: `Bearer ${key}` } });
      expect(response.status).toBe(503);
      expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0);
      expect(await response.json()).toMatchObject({ code: "unavailable" });
    }
    await db.close();
  });

  test("while PostgreSQL is away or not prepared yet, every endpoint answers 503 with Retry-After", async ({ api }) => {
    const settings = { applicationName: "sluice-test", maxConnections: 1, onError: () => {} };
    const databases = [
      openDatabase({ ...settings, url: "postgres://nobody@127.0.0.1:1/none" }),
      openDatabase({ ...settings, url: inject("databaseUrl"), admit: refuse }),
    ];
    for (const db of databases) {
      const app = createApi({ ...api, db });
      const document = app.getOpenAPI31Document({ openapi: "3.1.0", info: { title: "Sluice", version: "1" } });
      const requests = minimalRequests(JSON.parse(JSON.stringify(document)));
      expect(requests.length).toBeGreaterThan(20);
      for (const request of requests.filter(({ path }) => !WITHOUT_POSTGRES.test(path))) {
        const { method, path } = request;
        // The schemas in the document do not have every check of a body.
        const body = BODIES[`${method} ${path}`] ?? request.body;
        const headers = { authorization: `Bearer ${ADMIN_KEY}`, "content-type": "application/json" };
        const response = await app.request(path, { method, headers, ...(body && { body }) });
        const problem = await response.text();
        expect(response.status, `${method} ${path} ${body}: ${problem}`).toBe(503);
        expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0);
        const { code, error } = JSON.parse(problem) as { code?: string; error?: { status: string } };
        expect(code ?? error?.status).toBeOneOf(["unavailable", "UNAVAILABLE"]);
      }
      await db.close();
    }
  });

  test("an unexpected error is answered with 500 without details, and the log has it under the request id", async ({
    api,
  }) => {
    const target = { uri: "http://a.example/", subscribed_events: ["*"], headers: { "x-a": "1" } };
    const { body } = await api.call("POST", "/v1/targets", { body: target });
    // This one has another master key, so it cannot decrypt what is stored.
    const other = await createTestApi(api.db);
    const answer = await other.call("GET", `/v1/targets/${body.id}`);
    const requestId = answer.headers.get("x-request-id");
    expect(answer.status).toBe(500);
    expect(answer.body).toEqual({
      type: "urn:sluice:problem:internal",
      title: "The relay failed",
      status: 500,
      detail: `The relay failed; its log has the error under the request id ${requestId}`,
      code: "internal",
      request_id: requestId,
    });
    const line = other.logLines.find(({ request_id }) => request_id === requestId);
    expect(line).toMatchObject({ level: "error", status: 500, route: "/v1/targets/{id}" });
    expect(line).toHaveProperty("err.stack");
    await api.call("DELETE", `/v1/targets/${body.id}`);
  });

  test("a change is kept even if no ingress and no worker learns about it, and the log says so", async ({ api }) => {
    const failing = await createTestApi(api.db, {
      sourcesChanged: () => Promise.reject(new Error("no refresh")),
      wakeTarget: () => Promise.reject(new Error("no wake-up")),
    });
    expect((await failing.call("POST", "/v1/sources", { body: { name: "untold" } })).status).toBe(201);
    const target = { uri: "http://a.example/", subscribed_events: ["*"], state: "paused" };
    const { body } = await failing.call("POST", "/v1/targets", { body: target });
    expect((await failing.call("PATCH", `/v1/targets/${body.id}`, { body: { state: "enabled" } })).status).toBe(200);
    const warnings = failing.logLines.filter(({ level }) => level === "warn").map(({ msg }) => msg);
    expect(warnings).toEqual(["sources not refreshed", "target not woken"]);
  });
});

describe("the log", () => {
  test("a request is one line with its route and outcome, without its body, query and key", async ({ api }) => {
    const before = api.logLines.length;
    const body = {
      uri: "http://logged.example/?k=v",
      subscribed_events: ["*"],
      headers: { authorization: "Bearer target-credential" },
    };
    const created = await api.call("POST", "/v1/targets", { body });
    await api.call("PATCH", "/v1/sources/src_1", { body: { signing_secret: A_SECRET } });
    await api.call("POST", `${delivery}:retry?x=y`);
    await api.call("GET", "/v1/unknown/secret-path");
    const lines = api.logLines.slice(before);
    expect(lines.map(({ method, route, status }) => [method, route, status])).toEqual([
      ["POST", "/v1/targets", 201],
      ["PATCH", "/v1/sources/{id}", 400],
      ["POST", "/v1/deliveries/{id}:retry", 400],
      ["GET", "/*", 404],
    ]);
    for (const line of lines) {
      expect(line).toMatchObject({
        msg: "api request",
        duration_ms: expect.any(Number),
        request_id: expect.any(String),
      });
    }
    const text = JSON.stringify(lines);
    for (const hidden of [
      ADMIN_KEY,
      A_SECRET,
      "logged.example",
      "target-credential",
      created.body.new_signing_secret,
      "secret-path",
    ]) {
      expect(text).not.toContain(hidden);
    }
    await api.call("DELETE", `/v1/targets/${created.body.id}`);
  });
});

describe("the document", () => {
  test("the OpenAPI document has every endpoint under its public path", ({ api }) => {
    const document = createApi(api).getOpenAPI31Document({ openapi: "3.1.0", info: { title: "Sluice", version: "1" } });
    const endpoints = Object.entries(document.paths ?? {}).map(([path, item]) => [path, Object.keys(item)]);
    expect(Object.fromEntries(endpoints)).toEqual({
      "/v1/configuration": ["get"],
      "/v1/configuration:apply": ["post"],
      "/v1/keys": ["get", "post"],
      "/v1/keys/self": ["get"],
      "/v1/keys/{id}": ["get"],
      "/v1/keys/{id}:revoke": ["post"],
      "/v1/audit": ["get"],
      "/v1/audit/{id}": ["get"],
      "/v1/set-aside-events": ["get"],
      "/v1/set-aside-events/{id}": ["get", "delete"],
      "/v1/set-aside-events/{id}:retry": ["post"],
      "/v1/set-aside-events:retry": ["post"],
      "/v1/sources": ["get", "post"],
      "/v1/sources/by-name/{name}": ["get", "put", "delete"],
      "/v1/sources/{id}": ["get", "patch", "delete"],
      "/v1/sources/{id}/signing-secrets": ["post"],
      "/v1/sources/{id}/upstream": ["get", "patch"],
      "/v1/sources/{id}/upstream:check": ["post"],
      "/v1/sources/{id}/upstream:deregister": ["post"],
      "/v1/sources/{id}/upstream:heal": ["post"],
      "/v1/sources/{id}/upstream:register": ["post"],
      "/v1/sources/{id}/upstream:rotate": ["post"],
      "/v1/sources/{id}/ingress-tokens": ["post"],
      "/v1/sources/{id}/ingress-tokens/{token_id}": ["delete"],
      "/v1/sources/{id}/callback-urls": ["post"],
      "/v1/sources/{id}:verify": ["post"],
      "/v1/targets": ["get", "post"],
      "/v1/targets/by-name/{name}": ["get", "put", "delete"],
      "/v1/targets/{id}": ["get", "patch", "delete"],
      "/v1/targets/{id}:pull": ["post"],
      "/v1/targets:try-filter": ["post"],
      "/v1/targets/{id}:ack": ["post"],
      "/v1/targets/{id}:extend": ["post"],
      "/v1/targets/{id}:pause": ["post"],
      "/v1/targets/{id}:resume": ["post"],
      "/v1/targets/{id}:enable": ["post"],
      "/v1/targets/{id}:disable": ["post"],
      "/v1/targets/{id}:rotate-secret": ["post"],
      "/v1/targets/{id}:test": ["post"],
      "/v1/webhooks": ["get", "post"],
      "/v1/webhooks/{id}": ["get", "patch", "delete"],
      "/v1/webhooks/{id}:rotateSigningSecret": ["post"],
      "/v1/webhooks/{id}/rotate_secret": ["post"],
      "/v1/webhooks/{id}:ping": ["post"],
      "/v1beta/webhooks": ["get", "post"],
      "/v1beta/webhooks/{id}": ["get", "patch", "delete"],
      "/v1beta/webhooks/{id}:rotateSigningSecret": ["post"],
      "/v1beta/webhooks/{id}/rotate_secret": ["post"],
      "/v1beta/webhooks/{id}:ping": ["post"],
      "/v1/events": ["get", "post"],
      "/v1/events/{id}": ["get"],
      "/v1/events:replay": ["post"],
      "/v1/events/{id}:replay": ["post"],
      "/v1/events/{id}:erase": ["post"],
      "/v1/events/{id}/body": ["get"],
      "/v1/jobs": ["get", "post"],
      "/v1/jobs/{id}": ["get", "patch"],
      "/v1/deliveries": ["get"],
      "/v1/deliveries/{id}": ["get"],
      "/v1/deliveries:retry": ["post"],
      "/v1/deliveries:cancel": ["post"],
      "/v1/operations": ["get"],
      "/v1/operations/{id}": ["get"],
      "/v1/operations/{id}:cancel": ["post"],
      "/v1/deliveries/{id}:retry": ["post"],
      "/v1/deliveries/{id}:cancel": ["post"],
      "/v1/attempts": ["get"],
      "/v1/attempts/{id}": ["get"],
      "/v1/rejections": ["get"],
      "/v1/rejections/{id}": ["get"],
      "/v1/stats": ["get"],
      "/v1/stats/waiting": ["get"],
      "/v1/stats/rejections": ["get"],
      "/v1/tail": ["get"],
      "/v1/system": ["get"],
      "/v1/system/settings": ["get"],
      "/v1/system/log": ["get"],
      "/metrics": ["get"],
    });
    const schemas = document.components?.schemas ?? {};
    expect(Object.keys(schemas).toSorted()).toContain("Target");
    expect(JSON.stringify(document)).toContain('"additionalProperties":false');
  });
});
