// PUT, GET and DELETE by name: what holds for targets and sources alike.

import { randomUUID } from "node:crypto";

import { describe, expect } from "vitest";

import { type Answer, storeKey, test, type TestApi } from "../../../../../tests/support/api/test-api.ts";

const KINDS = [
  { list: "targets", body: { uri: "http://billing.internal/", subscribed_events: ["*"] }, field: "timeout_seconds" },
  { list: "sources", body: {}, field: "tolerance_seconds" },
] as const;

const on = (api: TestApi, list: string, name: string) => {
  const path = `/v1/${list}/by-name/${encodeURIComponent(name)}`;
  return {
    get: (headers = {}) => api.call("GET", path, { headers }),
    put: (body: object | undefined, headers = {}) => api.call("PUT", path, { body, headers }),
    remove: (headers = {}) => api.call("DELETE", path, { headers }),
  };
};

const countByStatus = (answers: Answer[]) =>
  Object.fromEntries([...Map.groupBy(answers, ({ status }) => status)].map(([status, same]) => [status, same.length]));

describe.for(KINDS)("/v1/$list/by-name", ({ list, body, field }) => {
  test("PUT makes, replaces and makes again, GET reads, and DELETE deletes", async ({ api }) => {
    const { get, put, remove } = on(api, list, "walk");
    expect((await get()).status).toBe(404);
    expect((await remove()).status).toBe(404);
    const made = await put({ ...body, [field]: 7 });
    expect(made).toMatchObject({ status: 201, body: { name: "walk", [field]: 7 } });
    expect(made.headers.get("location")).toBe(`/v1/${list}/${made.body.id}`);
    expect(made.body.new_signing_secret).toMatch(/^whsec_/);
    const read = await get();
    expect(read.headers.get("etag")).toBe(made.headers.get("etag"));
    const { new_signing_secret: _, ...shown } = made.body;
    expect(read.body).toEqual(shown);
    expect((await get({ "if-none-match": read.headers.get("etag") })).status).toBe(304);

    const replaced = await put({ ...body, name: "walk" });
    expect(replaced.status).toBe(200);
    expect(replaced.headers.get("location")).toBeNull();
    expect(replaced.body).toMatchObject({ id: made.body.id, name: "walk", signing_secrets: shown.signing_secrets });
    expect(replaced.body[field]).not.toBe(7);
    expect(replaced.body).not.toHaveProperty("new_signing_secret");
    expect((await get()).headers.get("etag")).toBe(replaced.headers.get("etag"));
    // The same again changes nothing, and leaves no entry in the audit trail.
    expect((await put({ ...body, name: "walk" })).headers.get("etag")).toBe(replaced.headers.get("etag"));
    const trail = await api.call("GET", `/v1/audit?resource=${made.body.id}`);
    expect(trail.body.data).toHaveLength(2);

    expect((await remove()).status).toBe(204);
    const again = await put(body);
    expect(again.status).toBe(201);
    expect(again.body.id).not.toBe(made.body.id);
  });

  test("If-None-Match: * only makes, If-Match only replaces the version that it names", async ({ api }) => {
    const { put, remove } = on(api, list, "conditional");
    const failed = { status: 412, body: { code: "precondition_failed" } };
    for (const condition of ["*", '"other"']) expect(await put(body, { "if-match": condition })).toMatchObject(failed);
    const made = await put(body, { "if-none-match": "*" });
    expect(made.status).toBe(201);
    expect(await put(body, { "if-none-match": "*" })).toMatchObject(failed);
    expect(await put(body, { "if-match": '"other"' })).toMatchObject(failed);
    const etag = made.headers.get("etag") ?? "";
    expect((await put({ ...body, [field]: 8 }, { "if-match": etag })).status).toBe(200);
    expect(await put({ ...body, [field]: 9 }, { "if-match": etag })).toMatchObject(failed);
    expect(await remove({ "if-match": etag })).toMatchObject(failed);
    expect((await put(body, { "if-match": "*" })).status).toBe(200);
    for (const headers of [{ "if-none-match": etag }, { "if-none-match": "*", "if-match": "*" }]) {
      const refused = await put(body, headers);
      expect(refused).toMatchObject({ status: 400, body: { errors: [{ pointer: "If-None-Match" }] } });
    }
  });

  test("a PUT renames nothing", async ({ api }) => {
    const { get, put } = on(api, list, "stays");
    for (let count = 0; count < 2; count++) {
      const refused = await put({ ...body, name: "other" });
      expect(refused).toMatchObject({ status: 400, body: { errors: [{ pointer: "/name" }] } });
      expect((await get()).status).toBe(count === 0 ? 404 : 200);
      await put(body);
    }
  });

  test("what is no name is refused as a part of the path", async ({ api }) => {
    for (const name of ["\0", "a".repeat(201)]) {
      const { get, put, remove } = on(api, list, name);
      for (const answer of [await get(), await put(body), await remove()]) {
        expect(answer).toMatchObject({ status: 400, body: { errors: [{ pointer: "{name}" }] } });
      }
    }
    expect((await api.call("GET", `/v1/${list}/by-name/`)).status).toBe(404);
  });

  test("one Idempotency-Key makes one resource, and brings its secret back", async ({ api }) => {
    const { put } = on(api, list, "idempotent");
    const headers = { "idempotency-key": randomUUID() };
    const made = await put(body, headers);
    const repeated = await put(body, headers);
    expect(repeated).toMatchObject({ status: 201, body: made.body });
    expect(repeated.headers.get("idempotency-replayed")).toBe("true");
    expect((await put({ ...body, [field]: 3 }, headers)).body.code).toBe("idempotency_key_reused");
  });

  test("of several PUTs at the same moment one makes it, and the others replace it", async ({ api }) => {
    for (let round = 0; round < 10; round++) {
      const { get, put } = on(api, list, `raced-${round}`);
      const answers = await Promise.all(Array.from({ length: 6 }, (_, index) => put({ ...body, [field]: 1 + index })));
      expect(countByStatus(answers)).toEqual({ 200: 5, 201: 1 });
      expect(new Set(answers.map((answer) => answer.body.id)).size).toBe(1);
      const { id } = (await get()).body;
      const changes = (await api.call("GET", `/v1/audit?resource=${id}`)).body.data;
      expect(changes).toHaveLength(6);
    }
    const only = { "if-none-match": "*" };
    const answers = await Promise.all(Array.from({ length: 6 }, () => on(api, list, "raced-new").put(body, only)));
    expect(countByStatus(answers)).toEqual({ 201: 1, 412: 5 });
  });

  test("PUTs and DELETEs at the same moment are never answered with a 5xx", async ({ api }) => {
    const { put, remove } = on(api, list, "contended");
    const answers = await Promise.all(Array.from({ length: 60 }, (_, at) => (at % 2 === 0 ? put(body) : remove())));
    for (const { status } of answers) expect(status).toBeOneOf([200, 201, 204, 404, 409]);
  });

  test("the entries in the audit trail are those of the routes by id", async ({ api }) => {
    const { put, remove } = on(api, list, "audited");
    const { id } = (await put(body)).body;
    await put({ ...body, [field]: 5 });
    await remove();
    const entries = (await api.call("GET", `/v1/audit?resource=${id}`)).body.data;
    const kind = list.slice(0, -1);
    expect(entries.map(({ action }: { action: string }) => action)).toEqual([
      `${kind}.deleted`,
      `${kind}.updated`,
      `${kind}.created`,
    ]);
    expect(entries[1]).toMatchObject({ before: { name: "audited" }, after: { [field]: 5 } });
  });

  test("reading needs the scope read, and changing needs write", async ({ api }) => {
    const key = await storeKey(api, ["read"]);
    await on(api, list, "scoped").put(body);
    const path = `/v1/${list}/by-name/scoped`;
    expect((await api.call("GET", path, { key })).status).toBe(200);
    expect((await api.call("PUT", path, { key, body })).status).toBe(403);
    expect((await api.call("DELETE", path, { key })).status).toBe(403);
  });

  test("another method is answered with 405 and the methods that the path takes", async ({ api }) => {
    const answer = await api.call("PATCH", `/v1/${list}/by-name/walk`, { body: {} });
    expect(answer.status).toBe(405);
    expect(answer.headers.get("allow")).toBe("GET, HEAD, PUT, DELETE, OPTIONS");
  });
});

test("a source may be named like a part of another path", async ({ api }) => {
  for (const name of ["upstream", "by-name", "signing-secrets"]) {
    expect((await on(api, "sources", name).put({})).status).toBe(201);
    expect((await on(api, "sources", name).get()).body).toMatchObject({ name, ingress_path: `/in/${name}` });
  }
});

test("any name of a target can be written into a path", async ({ api }) => {
  const body = { uri: "http://billing.internal/", subscribed_events: ["*"] };
  const names = [
    "team:billing",
    "a/b",
    "100%",
    "%2F",
    "a b+c",
    "?x=1#y",
    "é",
    "e\u0301",
    "日本",
    "🦦",
    "webhooks/x",
    "...",
  ];
  for (const name of names) {
    const { get, put, remove } = on(api, "targets", name);
    expect(await put(body), name).toMatchObject({ status: 201, body: { name } });
    expect(await get(), name).toMatchObject({ status: 200, body: { name } });
    expect((await remove()).status, name).toBe(204);
  }
  await on(api, "targets", "team:pause").put(body);
  expect((await api.call("GET", "/v1/targets/by-name/team:pause")).body.name).toBe("team:pause");
});
