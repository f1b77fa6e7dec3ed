import { describe, expect } from "vitest";

import { newId, parseId } from "@sluice/shared/domain/ids";

import { endpointsOf } from "../../../../../tests/support/api/described-endpoints.ts";
import { createTestApi, seedEvent, test, type TestApi } from "../../../../../tests/support/api/test-api.ts";
import { createTestDatabase } from "../../../../../tests/support/database.ts";
import { createApi } from "../api.ts";
import { createDocument } from "../openapi/document.ts";

const target = { uri: "http://billing.internal", subscribed_events: ["*"] };
const createTarget = (api: TestApi) => api.call("POST", "/v1/targets", { body: target });
const createSource = (api: TestApi) => api.call("POST", "/v1/sources", { body: { name: `s-${newId()}` } });

describe("ETag", () => {
  test("is the same on the answer to a change and on the next GET and HEAD", async ({ api }) => {
    const created = await createTarget(api);
    const path = created.headers.get("location") ?? "";
    const read = await api.call("GET", path);
    expect(read.headers.get("etag")).toMatch(/^"[\w-]{22}\.[\w-]{22}"$/);
    expect(created.headers.get("etag")).toBe(read.headers.get("etag"));
    const changed = await api.call("PATCH", path, { body: { name: "changed" } });
    expect(changed.headers.get("etag")).not.toBe(read.headers.get("etag"));
    expect((await api.call("GET", path)).headers.get("etag")).toBe(changed.headers.get("etag"));
    expect((await api.call("HEAD", path)).headers.get("etag")).toBe(changed.headers.get("etag"));
  });

  test("is on every single resource, and If-None-Match with it is answered with 304", async ({ api }) => {
    await createTarget(api);
    await seedEvent(api, [(await api.db.pool.query<{ id: string }>("SELECT id FROM targets")).rows[0]?.id ?? ""]);
    await api.call("POST", "/v1/keys", { body: { name: "n", scopes: ["read"] } });
    for (const list of ["sources", "targets", "events", "deliveries", "keys", "audit"]) {
      const { id } = (await api.call("GET", `/v1/${list}?limit=1`)).body.data[0];
      const etag = (await api.call("GET", `/v1/${list}/${id}`)).headers.get("etag") ?? "";
      expect(etag, list).toMatch(/^"[\w-]{22}\.[\w-]{22}"$/);
      for (const condition of [etag, `W/${etag}`, `"other", ${etag}`, "*"]) {
        for (const method of ["GET", "HEAD"]) {
          const answer = await api.call(method, `/v1/${list}/${id}`, { headers: { "if-none-match": condition } });
          expect(answer.status).toBe(304);
          expect(answer.body).toBeUndefined();
          expect(answer.headers.get("etag")).toBe(etag);
          expect(answer.headers.get("content-type")).toBeNull();
        }
      }
      const other = await api.call("GET", `/v1/${list}/${id}`, { headers: { "if-none-match": '"other"' } });
      expect(other).toMatchObject({ status: 200, body: { id } });
    }
  });
});

describe("If-Match", () => {
  test("lets a change through while it has the current tag, and is answered with 412 afterwards", async ({ api }) => {
    const source = await api.call("POST", "/v1/sources", { body: { name: "conditional" } });
    for (const [created, change] of [
      [await createTarget(api), { name: "first" }],
      [source, { tolerance_seconds: 60 }],
    ] as const) {
      const path = created.headers.get("location") ?? "";
      const etag = created.headers.get("etag") ?? "";
      const on = (method: string, condition: string, body?: object) =>
        api.call(method, path, { body, headers: { "if-match": condition } });
      for (const condition of ['"other"', `W/${etag}`, ""]) {
        const refused = await on("PATCH", condition, change);
        expect(refused).toMatchObject({ status: 412, body: { code: "precondition_failed" } });
      }
      const changed = await on("PATCH", `"other", ${etag}`, change);
      expect(changed.status).toBe(200);
      expect((await on("DELETE", etag)).status).toBe(412);
      expect((await on("DELETE", changed.headers.get("etag") ?? "")).status).toBe(204);
      expect((await on("DELETE", "*")).status).toBe(404);
    }
  });

  test("is applied by the endpoints whose description has it, and by no other", async ({ api }) => {
    const described: string[] = [];
    const applied: string[] = [];
    // `:test` and `:ping` wait for a worker, and this test has none.
    const changing = /^\/v1(beta)?\/(sources|targets|webhooks)\/(by-name\/\{name\}|\{id\}(?!:test|:ping))/;
    for (const { method, path, parameters, requestBody } of endpointsOf(createDocument(createApi(api)))) {
      if (method === "get" || !changing.test(path)) continue;
      const name = `${method.toUpperCase()} ${path}`;
      if (parameters?.some((parameter) => parameter.name === "If-Match") === true) described.push(name);
      // A verb is called without a body, as README does, with an empty one, and with null, as some clients do.
      const example = requestBody?.content?.["application/json"]?.example;
      const bodies =
        requestBody === undefined || requestBody.required === true ? [example] : [example, undefined, "null"];
      const { id, name: ownName } = (path.startsWith("/v1/sources") ? await createSource(api) : await createTarget(api))
        .body;
      if (path.includes("/upstream")) {
        const uri = "https://hooks.example.com/in/a";
        await api.db.pool.query("INSERT INTO upstreams (source_id, uri) VALUES ($1, $2)", [
          parseId("src", id, "id"),
          uri,
        ]);
      }
      const address = path.replace("{id}", id).replace("{name}", encodeURIComponent(ownName));
      const statuses = new Set<number>();
      for (const body of bodies) {
        const headers = { "if-match": '"other"' };
        statuses.add((await api.call(method.toUpperCase(), address, { body, headers })).status);
      }
      if (statuses.has(412) && statuses.size === 1) applied.push(name);
    }
    expect(applied).toEqual(described);
    expect(applied).toEqual(
      expect.arrayContaining(["PATCH /v1/targets/{id}", "POST /v1/sources/{id}/signing-secrets"]),
    );
  });

  test("ignores the fields that the relay observes, although they change the ETag", async ({ api }) => {
    const created = await createTarget(api);
    const path = created.headers.get("location") ?? "";
    const etag = created.headers.get("etag") ?? "";
    await api.db.pool.query("INSERT INTO target_health (target_id, last_success_at) VALUES ($1, now())", [
      parseId("tgt", created.body.id, "id"),
    ]);
    const read = await api.call("GET", path, { headers: { "if-none-match": etag } });
    expect(read.status).toBe(200);
    expect(read.headers.get("etag")).not.toBe(etag);
    const changed = await api.call("PATCH", path, { body: { name: "busy" }, headers: { "if-match": etag } });
    expect(changed.status).toBe(200);
    expect((await api.call("DELETE", path, { headers: { "if-match": etag } })).status).toBe(412);
  });

  test("lets one of several simultaneous changes of the same state through", async ({ onTestFinished }) => {
    const database = await createTestDatabase();
    onTestFinished(database.drop);
    const api = await createTestApi(database.db);
    const source = await api.call("POST", "/v1/sources", { body: { name: "raced" } });
    for (const [created, change] of [
      [await createTarget(api), (index: number) => ({ name: `change-${index}` })],
      [source, (index: number) => ({ tolerance_seconds: 60 + index })],
    ] as const) {
      const path = created.headers.get("location") ?? "";
      const headers = { "if-match": created.headers.get("etag") ?? "" };
      const answers = await Promise.all(
        Array.from({ length: 6 }, (_, index) => api.call("PATCH", path, { headers, body: change(index) })),
      );
      const won = answers.filter(({ status }) => status === 200);
      expect(won).toHaveLength(1);
      expect(answers.filter(({ status }) => status === 412)).toHaveLength(5);
      expect((await api.call("GET", path)).body).toEqual(won[0]?.body);
    }
  });
});
