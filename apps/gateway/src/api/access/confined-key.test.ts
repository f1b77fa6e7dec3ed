// A key that is for one target, against every route.

import { createApi } from "../api.ts";
import { createDocument } from "../openapi/document.ts";
import { expect } from "vitest";

import { callVerb, createPullTarget, pull, seedDue } from "../../../../../tests/support/api/pulls.ts";
import { pointersOf, test, type TestApi } from "../../../../../tests/support/api/test-api.ts";
import { minimalRequests } from "../../../../../tests/support/minimal-requests.ts";

async function createKey(api: TestApi, target: { id: string }): Promise<string> {
  const body = { name: `for ${target.id}`, scopes: [`target:${target.id}`] };
  const made = await api.call("POST", "/v1/keys", { body });
  expect(made).toMatchObject({ status: 201, body: { scopes: [`target:${target.id}`], state: "active" } });
  return made.body.key;
}

test("it pulls for its target, reports, and reads the target and its deliveries", async ({ api }) => {
  const target = await createPullTarget(api);
  const key = await createKey(api, target);
  await seedDue(api, target);
  const { deliveries } = (await callVerb(api, target, "pull", {}, { key })).body;
  const [{ token, delivery_id: id }] = deliveries;
  expect((await callVerb(api, target, "extend", { tokens: [token] }, { key })).status).toBe(200);
  const results = [{ token, status_code: 200, duration_ms: 1 }];
  expect((await callVerb(api, target, "ack", { results }, { key })).body.results).toMatchObject([
    { status: "succeeded" },
  ]);
  const read = async (path: string, method = "GET") => (await api.call(method, path, { key })).status;
  expect(await read(`/v1/targets/${target.id}`)).toBe(200);
  expect(await read(`/v1/targets/${target.id}`, "HEAD")).toBe(200);
  expect(await read(`/v1/deliveries?target=${target.id}&status=succeeded`)).toBe(200);
  expect(await read(`/v1/deliveries/${id}`)).toBe(200);
});

test("it does nothing else: every other route answers 403 before it looks at the request", async ({ api }) => {
  const [target, other] = [await createPullTarget(api), await createPullTarget(api)];
  const key = await createKey(api, target);
  await seedDue(api, other);
  const [foreign] = await pull(api, other);
  const requests = minimalRequests(JSON.parse(JSON.stringify(createDocument(createApi(api)))));
  expect(requests.length).toBeGreaterThan(80);
  const own = new RegExp(`^/v1/targets/${target.id}(?::(?:pull|ack|extend))?$`);
  let refused = 0;
  for (const { method, path, body } of requests) {
    // With the ids of this target, and with those of another.
    for (const id of [target.id, other.id]) {
      const named = path.replaceAll(/tgt_[0-9a-z]{26}/g, id);
      if (own.test(named) && (method === "GET" || named.includes(":"))) continue;
      // A delivery that is not of the target is as if there were none.
      const isDelivery = method === "GET" && /^\/v1\/deliveries\/[^/]+$/.test(named);
      const { status } = await api.call(method, named, { key, body });
      expect([method, named, status]).toEqual([method, named, isDelivery ? 404 : 403]);
      refused += 1;
    }
  }
  expect(refused).toBeGreaterThan(160);

  const hidden = [
    `/v1/deliveries?target=${other.id}`,
    `/v1/deliveries?target=${target.id}&target=${other.id}`,
    "/v1/deliveries",
    `/v1/attempts?target=${target.id}`,
    `/v1/targets/by-name/${target.name}`,
    `/v1/targets/${target.id}/`,
    `//v1/targets/${target.id}`,
    "/metrics",
    "/nothing",
  ];
  for (const path of hidden) expect([path, (await api.call("GET", path, { key })).status]).toEqual([path, 403]);
  expect((await api.call("GET", `/v1/deliveries/${foreign.delivery_id}`, { key })).status).toBe(404);
  for (const verb of ["pause", "test", "rotate-secret", "PULL"])
    expect((await api.call("POST", `/v1/targets/${target.id}:${verb}`, { key, body: {} })).status).toBe(403);
  expect((await api.call("GET", `/v1/targets/${target.id}:pull`, { key })).status).toBe(403);
});

test("deleting the target revokes the key", async ({ api }) => {
  const target = await createPullTarget(api);
  const key = await createKey(api, target);
  await api.call("DELETE", `/v1/targets/${target.id}`);
  for (const path of [`/v1/deliveries?target=${target.id}`, `/v1/targets/${target.id}`])
    expect((await api.call("GET", path, { key })).status).toBe(401);
  const { data } = (await api.call("GET", `/v1/keys?name=${encodeURIComponent(`for ${target.id}`)}`)).body;
  expect(data).toMatchObject([{ state: "revoked", scopes: [`target:${target.id}`] }]);
});

test("it is made only for a pull target that exists, and has no other scope", async ({ api }) => {
  const target = await createPullTarget(api);
  const http = (
    await api.call("POST", "/v1/targets", { body: { uri: "http://one.example/", subscribed_events: ["*"] } })
  ).body;
  const create = async (...scopes: string[]) => {
    const answer = await api.call("POST", "/v1/keys", { body: { name: "wrong", scopes } });
    return [answer.status, ...pointersOf(answer)];
  };
  expect(await create("target:tgt_01h455vb4pex5vsknk084sn02q")).toEqual([400, "/scopes/0"]);
  expect(await create(`target:${http.id}`)).toEqual([400, "/scopes/0"]);
  expect(await create("read", `target:${target.id}`)).toEqual([400, "/scopes/1"]);
  expect(await create(`target:${target.name}`)).toEqual([400, "/scopes/0"]);
  expect(await create(`target:${target.id}`, `target:${http.id}`)).toEqual([400, "/scopes/0"]);
});
