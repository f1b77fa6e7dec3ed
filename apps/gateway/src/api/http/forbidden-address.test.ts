// The API names the field of a URI that leads to a forbidden address, for targets and for key sets.

import { OwnServices } from "@sluice/shared/address/own-services";
import { expect } from "vitest";

import { createTestApi, pointersOf, test as base, type TestApi } from "../../../../../tests/support/api/test-api.ts";
import { guardOf } from "../../../../../tests/support/guard.ts";

const ownServices = new OwnServices([
  { what: "API (API_PORT)", host: "0.0.0.0", port: 8081, mayListenOnMore: false },
  { what: "Redis (REDIS_URL)", host: "redis.internal", port: 6379, mayListenOnMore: true },
]);

/** An API as its settings leave it by default. */
const test = base.extend("closed", { scope: "file" }, ({ api }) => {
  const guard = guardOf({ loopback: false, deny: "*.denied", ownServices });
  return createTestApi(api.db, { addressGuard: guard, keySetGuard: guard });
});

const FORBIDDEN = [
  ["https://127.0.0.1/", "loopback"],
  ["https://localhost:9443/", "loopback"],
  ["http://[::1]:9000/", "loopback"],
  ["https://[::ffff:7f00:1]/", "loopback"],
  ["https://169.254.169.254/keys", "link-local"],
  ["https://[fe80::1]/", "link-local"],
  ["https://0.0.0.0:8081/", "unspecified"],
  ["https://127.0.0.1:8081/", "the relay's own API (API_PORT)"],
  ["https://localhost:8081/", "the relay's own API (API_PORT)"],
  ["https://REDIS.internal:6379/", "the relay's own Redis (REDIS_URL)"],
  ["https://keys.denied/", "TARGET_DENY has *.denied"],
] as const;

const OPEN = ["https://10.0.0.9/", "https://redis.internal/", "https://redis.internal:6380/", "https://10.0.0.9:8081/"];

const newTarget = (uri: string) => ({ uri, subscribed_events: ["*"] });
const create = (api: TestApi, path: string, body: object) => api.call("POST", path, { body });

test.for(FORBIDDEN)("a target at %s is refused at /uri", async ([uri, reason], { closed }) => {
  const target = await create(closed, "/v1/targets", newTarget("https://10.0.0.9/"));
  for (const answer of [
    await create(closed, "/v1/targets", newTarget(uri)),
    await closed.call("PATCH", `/v1/targets/${target.body.id}`, { body: { uri } }),
  ]) {
    expect(answer.status).toBe(400);
    expect(pointersOf(answer)).toEqual(["/uri"]);
    expect(answer.body.errors[0].detail).toContain(reason);
  }
  const answer = await create(closed, "/v1/webhooks", newTarget(uri));
  expect(answer.status).toBe(400);
  expect(JSON.stringify(answer.body)).toContain(reason);
});

test.for(FORBIDDEN)("a key set at %s is refused at /jwks_uri", async ([uri, reason], { closed }) => {
  const { body: source } = await create(closed, "/v1/sources", {
    name: `s-${Math.random()}`.replace(".", "-"),
    kind: "dynamic",
  });
  for (const answer of [
    await create(closed, "/v1/sources", { name: "refused", kind: "dynamic", jwks_uri: uri }),
    await closed.call("PATCH", `/v1/sources/${source.id}`, { body: { jwks_uri: uri } }),
  ]) {
    expect(answer.status).toBe(400);
    expect(pointersOf(answer)).toEqual(["/jwks_uri"]);
    expect(answer.body.errors[0].detail).toContain(reason);
  }
});

test("other addresses are taken", async ({ closed }) => {
  for (const [index, uri] of OPEN.entries()) {
    expect((await create(closed, "/v1/targets", newTarget(uri))).status).toBe(201);
    const source = { name: `open-${index}`, kind: "dynamic", jwks_uri: uri };
    expect((await create(closed, "/v1/sources", source)).status).toBe(201);
  }
});

test("a source whose key set is forbidden by now can be changed in its other fields", async ({ api, closed }) => {
  const jwks_uri = "http://127.0.0.1:9000/jwks.json";
  const { body } = await create(api, "/v1/sources", { name: "older", kind: "dynamic", jwks_uri });
  const change = { jwks_uri, audiences: ["a"] };
  expect((await closed.call("PATCH", `/v1/sources/${body.id}`, { body: change })).body).toMatchObject(change);
});
