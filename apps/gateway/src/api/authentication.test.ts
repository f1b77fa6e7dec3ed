import { newId } from "@sluice/shared/ids";
import { apiKeys } from "@sluice/shared/schema";
import { generateApiKey, hashApiKey, type Scope } from "@sluice/shared/store/api-keys";
import { describe, expect } from "vitest";

import { ADMIN_KEY, test, type TestApi } from "./test-api.ts";

async function storeKey(api: TestApi, scopes: Scope[], times: { expiresAt?: Date; revokedAt?: Date } = {}) {
  const key = generateApiKey();
  await api.db.orm.insert(apiKeys).values({ id: newId(), name: "test", hash: hashApiKey(key), scopes, ...times });
  return key;
}

const path = "/v1/sources";
const create = { name: "made-with-a-key" };

describe("authentication", () => {
  test("without a key, every path and method is a 401 that asks for one", async ({ api }) => {
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

  test("the environment's key is taken as a bearer token and as x-goog-api-key", async ({ api }) => {
    expect((await api.call("GET", path)).status).toBe(200);
    expect((await api.call("GET", path, { key: null, headers: { "x-goog-api-key": ADMIN_KEY } })).status).toBe(200);
    expect((await api.call("GET", path, { key: null, headers: { authorization: `bearer ${ADMIN_KEY}` } })).status).toBe(
      200,
    );
  });

  test("a wrong, empty or foreign credential is a 401", async ({ api }) => {
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

  test("a stored key may do what its scopes say, and no more", async ({ api }) => {
    const read = await storeKey(api, ["read"]);
    const write = await storeKey(api, ["write"]);
    expect((await api.call("GET", path, { key: read })).status).toBe(200);
    expect((await api.call("HEAD", path, { key: read })).status).toBe(200);
    const refused = await api.call("POST", path, { key: read, body: create });
    expect(refused.status).toBe(403);
    expect(refused.body).toMatchObject({ code: "forbidden", detail: 'POST needs an API key with the scope "write"' });
    expect((await api.call("POST", path, { key: write, body: create })).status).toBe(201);
    expect((await api.call("GET", path, { key: write })).body.detail).toContain('"read"');
  });

  test("a key that has expired or was revoked is a 401", async ({ api }) => {
    const past = new Date(Date.now() - 1000);
    const keys = [
      await storeKey(api, ["read"], { expiresAt: past }),
      await storeKey(api, ["read"], { revokedAt: past }),
    ];
    for (const key of keys) expect((await api.call("GET", path, { key })).status).toBe(401);
  });
});
