// Authentication: which keys are accepted, what each scope allows, and what a request without a valid key gets.

import { describe, expect, onTestFinished, vi } from "vitest";

import { Secret } from "@sluice/shared/settings/secret";
import { hashApiKey } from "@sluice/store/configuration/api-keys";

import { ADMIN_KEY, createTestApi, storeKey, test } from "../../../../../tests/support/api/test-api.ts";
import { until } from "../../../../../tests/support/wait.ts";
import { createApi } from "../api.ts";

const path = "/v1/sources";
const create = { name: "made-with-a-key" };

describe("authentication", () => {
  test("answers a request without a key with 401 on every path and method, and asks for a key", async ({ api }) => {
    for (const [method, target] of [
      ["GET", path],
      ["POST", path],
      ["PUT", path],
      ["GET", "/v1/nothing-here"],
      ["POST", "/v1/deliveries/dlv_1:retry"],
    ] as const) {
      const answer = await api.call(method, target, { key: null });
      expect(answer.status).toBe(401);
      expect(answer.headers.get("www-authenticate")).toBe("Bearer");
      expect(answer.headers.get("allow")).toBeNull();
      expect(answer.body).toMatchObject({ code: "unauthenticated", type: "urn:sluice:problem:unauthenticated" });
    }
  });

  test("accepts the key from ADMIN_API_KEY as a bearer token and as x-goog-api-key", async ({ api }) => {
    expect((await api.call("GET", path)).status).toBe(200);
    expect((await api.call("GET", path, { key: null, headers: { "x-goog-api-key": ADMIN_KEY } })).status).toBe(200);
    expect((await api.call("GET", path, { key: null, headers: { authorization: `bearer ${ADMIN_KEY}` } })).status).toBe(
      200,
    );
  });

  test("answers a wrong or empty key, or another kind of credential, with 401", async ({ api }) => {
    for (const headers of [
      { authorization: "Bearer wrong" },
      { authorization: "Bearer " },
      { authorization: `Basic ${ADMIN_KEY}` },
      { authorization: ADMIN_KEY },
      { "x-goog-api-key": "" },
      { "x-goog-api-key": `${ADMIN_KEY}x` },
    ]) {
      expect((await api.call("GET", path, { key: null, headers: { ...headers } })).status).toBe(401);
    }
  });

  test("answers two different keys with 401, and accepts the same key in both headers", async ({ api }) => {
    const read = await storeKey(api, ["read"]);
    const both = (other: string) => api.call("GET", path, { headers: { "x-goog-api-key": other } });
    expect((await both(read)).status).toBe(401);
    expect((await both("wrong")).status).toBe(401);
    expect((await both(ADMIN_KEY)).status).toBe(200);
  });

  test("lets a stored key do what its scope and the scopes below it allow, and no more", async ({ api }) => {
    const read = await storeKey(api, ["read"]);
    const write = await storeKey(api, ["write"]);
    const admin = await storeKey(api, ["admin"]);
    for (const key of [read, write, admin]) {
      expect((await api.call("GET", path, { key })).status).toBe(200);
      expect((await api.call("HEAD", path, { key })).status).toBe(200);
    }
    const refused = await api.call("POST", path, { key: read, body: create });
    expect(refused.status).toBe(403);
    expect(refused.body).toMatchObject({ code: "forbidden", detail: 'This needs an API key with the scope "write"' });
    expect((await api.call("POST", path, { key: write, body: create })).status).toBe(201);
    expect((await api.call("POST", path, { key: admin, body: { name: "made-by-admin" } })).status).toBe(201);
    expect((await api.call("GET", "/v1/keys", { key: write })).body.detail).toContain('"admin"');
    expect((await api.call("GET", "/v1/keys", { key: admin })).status).toBe(200);
  });

  test("lets the key from METRICS_KEY read the metrics, and nothing else", async ({ api }) => {
    const metricsKey = new Secret("metrics-key-of-at-least-32-characters");
    const app = createApi({ ...api, metricsKey });
    const ask = (method: string, target: string) =>
      app.request(target, { method, headers: { authorization: `Bearer ${metricsKey.reveal()}` } });
    expect((await ask("GET", "/metrics")).status).toBe(200);
    for (const [method, target] of [
      ["GET", path],
      ["POST", path],
      ["GET", "/v1/events"],
      ["GET", "/metrics/"],
      ["GET", "/v1/nothing-here"],
    ] as const) {
      const answer = await ask(method, target);
      expect([answer.status, await answer.json()]).toMatchObject([403, { code: "forbidden" }]);
    }
    // Without the setting it is like any other key that nobody has.
    const headers = { authorization: `Bearer ${metricsKey.reveal()}` };
    expect((await createApi(api).request("/metrics", { headers })).status).toBe(401);
  });

  test("answers an unknown, an expired and a revoked key with the same 401", async ({ api }) => {
    const expired = await storeKey(api, ["read"], new Date(Date.now() - 1000));
    const revoked = await storeKey(api, ["read"]);
    await api.db.pool.query("UPDATE api_keys SET revoked_at = now() WHERE hash = $1", [hashApiKey(revoked)]);
    const remoteAddress = "192.0.2.7";
    const unknown = await api.call("GET", path, { key: "sluice_unknown", remoteAddress });
    expect(unknown.status).toBe(401);
    for (const key of [expired, revoked]) {
      const answer = await api.call("GET", path, { key, remoteAddress });
      expect({ ...answer.body, request_id: "" }).toEqual({ ...unknown.body, request_id: "" });
    }
  });

  test("records the use of a key at most once a minute", async ({ api }) => {
    const key = await storeKey(api, ["read"]);
    const readUse = async () => {
      const { rows } = await api.db.pool.query<{ last_used_at: Date | null }>(
        "SELECT last_used_at FROM api_keys WHERE hash = $1",
        [hashApiKey(key)],
      );
      return rows[0]?.last_used_at ?? null;
    };
    expect(await readUse()).toBeNull();
    await api.call("GET", path, { key });
    const first = await until(readUse, { what: "the use of the key" });
    // A second gateway, which has not noted the key yet.
    const other = await createTestApi(api.db);
    await other.call("GET", path, { key });
    await other.call("GET", path, { key });
    expect(await readUse()).toEqual(first);
  });
});

describe("requests with keys that are not valid", () => {
  test("get 429 when they come too often, while a valid key still passes", async ({ database }) => {
    // The clock stands still, because a network gets one more try every six seconds.
    vi.useFakeTimers({ toFake: ["Date"] });
    onTestFinished(() => void vi.useRealTimers());
    const api = await createTestApi(database.db);
    const valid = await storeKey(api, ["read"]);
    const call = (key: string, remoteAddress: string) => api.call("GET", path, { key, remoteAddress });
    const answers = [];
    for (let tries = 0; tries < 11; tries++) answers.push(await call(`wrong-${tries}`, "198.51.100.1"));
    expect(answers.map(({ status }) => status)).toEqual([...Array.from({ length: 10 }, () => 401), 429]);
    const refused = answers.at(-1);
    expect(refused?.body).toMatchObject({ code: "rate_limited" });
    expect(Number(refused?.headers.get("retry-after"))).toBeGreaterThan(0);
    expect((await call(valid, "198.51.100.1")).status).toBe(200);
    expect((await call(ADMIN_KEY, "198.51.100.1")).status).toBe(200);
    expect((await call("wrong", "198.51.100.2")).status).toBe(401);
    // A request without a key is no try.
    expect((await api.call("GET", path, { key: null, remoteAddress: "198.51.100.1" })).status).toBe(401);
  });
});
