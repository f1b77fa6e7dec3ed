// What a request with the cookie of the console must show, so that no other page acts with it.

import { describe, expect } from "vitest";

import { requireRange } from "@sluice/shared/address/ip";
import { newId } from "@sluice/shared/domain/ids";

import {
  ask,
  behindProxy,
  cookieOf,
  PROXY,
  SAME_ORIGIN,
  SESSION,
  setCookieOf,
  signIn,
} from "../../../../../tests/support/api/console-session.ts";
import { ADMIN_KEY, createTestApi, storeKey, test } from "../../../../../tests/support/api/test-api.ts";

const BY_TLS = { "x-forwarded-proto": "https" };

describe("the cookie", () => {
  test("is closed to scripts and other sites, and by TLS to plain connections and other hosts too", async ({ api }) => {
    const plain = (await signIn(api, { key: ADMIN_KEY })).headers.get("set-cookie");
    expect(plain).toMatch(/^sluice=[\w-]{43}; Max-Age=43200; Path=\/; HttpOnly; SameSite=Strict$/);
    const own = await behindProxy(api);
    const signedIn = await signIn(own, { key: ADMIN_KEY }, { ...SAME_ORIGIN, ...BY_TLS }, PROXY);
    const secure = signedIn.headers.get("set-cookie");
    expect(secure).toMatch(/^__Host-sluice=[\w-]{43}; Max-Age=43200; Path=\/; HttpOnly; Secure; SameSite=Strict$/);
    const cookie = setCookieOf(signedIn);
    const call = (headers: Record<string, string>, remoteAddress: string) =>
      own.call("GET", "/v1/sources", { key: null, headers, remoteAddress });
    expect((await call({ cookie, ...BY_TLS }, PROXY)).status).toBe(200);
    expect((await call({ cookie: cookie.replace("__Host-", ""), ...BY_TLS }, PROXY)).status).toBe(401);
    // Nobody but a trusted proxy says that there is TLS.
    const untrusted = await signIn(own, { key: ADMIN_KEY }, { ...SAME_ORIGIN, ...BY_TLS }, "192.0.2.1");
    expect(untrusted.headers.get("set-cookie")).toMatch(/^sluice=/);
  });
});

describe("a request with the cookie", () => {
  test("is refused under a host name that API_HOSTS does not have, and so is a sign-in", async ({ api }) => {
    const cookie = await cookieOf(api, ADMIN_KEY);
    for (const host of [
      "evil.example",
      "evil.example:8081",
      "localhost.evil.example",
      "127.0.0.1.nip.io",
      "a@localhost",
      "",
    ]) {
      for (const answer of [
        await ask(api, { ...cookie, host }),
        await ask(api, { ...cookie, host }, SESSION),
        await signIn(api, { key: ADMIN_KEY }, { ...SAME_ORIGIN, host }),
      ]) {
        expect([answer.status, answer.body.code]).toEqual([403, "host_not_allowed"]);
        expect(answer.body.detail).toContain("API_HOSTS");
      }
    }
    for (const host of ["localhost", "LOCALHOST:8081", "127.0.0.1:8081", "[::1]:8081", "[::1]"]) {
      expect((await ask(api, { ...cookie, host })).status).toBe(200);
    }
    const [name, range] = ["relay.internal", "10.1.0.0/16"];
    const own = await createTestApi(api.db, {
      masterKey: api.masterKey,
      apiHosts: [
        { kind: "name", text: name, name, isWildcard: false },
        { kind: "range", text: range, range: requireRange(range) },
      ],
    });
    for (const host of ["relay.internal:8081", "Relay.Internal", "10.1.2.3", "localhost"])
      expect((await ask(own, { ...cookie, host })).status).toBe(200);
    expect((await ask(own, { ...cookie, host: "10.2.0.1" })).status).toBe(403);
  });

  test("changes something only from a page of the relay itself", async ({ api }) => {
    const cookie = await cookieOf(api, ADMIN_KEY);
    const host = "127.0.0.1:8081";
    const create = (headers: Record<string, string>) =>
      ask(api, { ...cookie, host, ...headers }, "/v1/sources", "POST", { name: `of-${newId()}` });
    for (const headers of [
      {},
      { origin: "http://evil.example" },
      { origin: "null" },
      { origin: "http://127.0.0.1:8082" },
      { origin: "https://127.0.0.1:8081" },
      { origin: "http://127.0.0.1" },
      { "sec-fetch-site": "same-site" },
      { "sec-fetch-site": "cross-site" },
      { "sec-fetch-site": "none" },
      { "sec-fetch-site": "cross-site", origin: `http://${host}` },
    ] as Record<string, string>[]) {
      const answer = await create(headers);
      expect([answer.status, answer.body.code]).toEqual([403, "cross_origin"]);
      expect((await signIn(api, { key: ADMIN_KEY }, { host, ...headers })).body.code).toBe("cross_origin");
      expect((await ask(api, { ...cookie, host, ...headers }, SESSION, "DELETE")).body.code).toBe("cross_origin");
    }
    expect((await create({ origin: `http://${host}` })).status).toBe(201);
    expect((await create(SAME_ORIGIN)).status).toBe(201);
    expect((await ask(api, { ...cookie, host, "sec-fetch-site": "same-site" })).body.code).toBe("cross_origin");
    expect((await ask(api, { ...cookie, host, "sec-fetch-site": "none" })).status).toBe(200);
  });

  test("is not answered to another origin that CORS_ORIGINS has: credentials are never allowed", async ({ api }) => {
    const origin = "https://other.example";
    const own = await createTestApi(api.db, { masterKey: api.masterKey, corsOrigins: [origin] });
    const answer = await ask(own, { ...(await cookieOf(api, ADMIN_KEY)), origin });
    expect(answer.headers.get("access-control-allow-origin")).toBe(origin);
    expect(answer.headers.get("access-control-allow-credentials")).toBeNull();
  });

  test("and a key counts as one with a key: no rule for browsers touches it", async ({ api }) => {
    const headers = { ...(await cookieOf(api, ADMIN_KEY)), host: "relay.example", origin: "https://elsewhere.example" };
    const key = await storeKey(api, ["read"]);
    const self = await api.call("GET", "/v1/keys/self", { key, headers });
    expect([self.status, self.body.scopes]).toEqual([200, ["read"]]);
    expect((await api.call("POST", "/v1/sources", { headers, body: { name: "with-key" } })).status).toBe(201);
    expect((await api.call("GET", "/v1/sources", { key: "wrong", headers })).status).toBe(401);
  });
});
