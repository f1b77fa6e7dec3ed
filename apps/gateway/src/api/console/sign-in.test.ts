// Signing in to the console: what a session may do, when it ends, and what codes are good for.

import { describe, expect, onTestFinished, vi } from "vitest";

import { openLog } from "@sluice/shared/runtime/log";
import { Secret } from "@sluice/shared/settings/secret";
import { hashApiKey } from "@sluice/store/configuration/api-keys";
import { pruneConsoleSessions } from "@sluice/store/requests/console-sessions";

import {
  ask,
  cookieOf,
  SAME_ORIGIN,
  SESSION,
  setCookieOf,
  signIn,
} from "../../../../../tests/support/api/console-session.ts";
import {
  ADMIN_KEY,
  createTestApi,
  seedEvent,
  storeKey,
  type TestApi,
  test,
} from "../../../../../tests/support/api/test-api.ts";
import { createApi } from "../api.ts";
import { TAIL_LIMITS, Tails } from "../log/tails.ts";

const make = (api: TestApi, key: string | null, body?: object) => api.call("POST", "/console/codes", { key, body });

describe("a session", () => {
  test("stands for the key that signed in, on /v1 and at the metrics, with the scopes of the key", async ({ api }) => {
    const key = await storeKey(api, ["read"]);
    const signedIn = await signIn(api, { key });
    const own = (await api.call("GET", "/v1/keys/self", { key })).body;
    expect([signedIn.status, signedIn.body]).toEqual([
      201,
      {
        name: own.name,
        key_id: own.id,
        scopes: ["read"],
        target_id: null,
        expires_at: expect.any(String),
        method: "key",
      },
    ]);
    const cookie = { cookie: setCookieOf(signedIn) };
    expect((await ask(api, cookie, SESSION)).body).toEqual(signedIn.body);
    expect((await ask(api, cookie)).status).toBe(200);
    expect((await ask(api, cookie, "/metrics")).status).toBe(200);
    expect((await ask(api, cookie, "/v1beta/webhooks")).status).toBe(200);
    const refused = await ask(api, { ...cookie, ...SAME_ORIGIN }, "/v1/sources", "POST", { name: "x" });
    expect([refused.status, refused.body.code]).toEqual([403, "forbidden"]);
    expect((await ask(api, cookie, "/v1/keys/self")).body.id).toBe(own.id);
  });

  test("lasts twelve hours, and no longer than its key", async ({ api }) => {
    const end = new Date(Date.now() + 60_000);
    const lasting = (await signIn(api, { key: ADMIN_KEY })).body;
    expect(Math.abs(Date.parse(lasting.expires_at) - Date.now() - 12 * 3_600_000)).toBeLessThan(60_000);
    expect((await signIn(api, { key: await storeKey(api, ["read"], end) })).body.expires_at).toBe(end.toISOString());
    const headers = await cookieOf(api, await storeKey(api, ["admin"]));
    await api.db.pool.query("UPDATE console_sessions SET expires_at = now() WHERE key_id IS NOT NULL");
    expect((await ask(api, headers)).status).toBe(401);
    expect(await pruneConsoleSessions(api.db)).toBeGreaterThan(0);
  });

  test("is the newest of a hundred that a key has, and others end, as the audit trail shows", async ({ api }) => {
    const key = await storeKey(api, ["read"]);
    const others = await cookieOf(api, await storeKey(api, ["read"]));
    const oldest = await cookieOf(api, key);
    const second = await cookieOf(api, key);
    for (let signedIn = 2; signedIn <= 100; signedIn++) await signIn(api, { key });
    expect((await ask(api, oldest)).status).toBe(401);
    expect((await ask(api, second)).status).toBe(200);
    expect((await ask(api, others)).status).toBe(200);
    const { id } = (await api.call("GET", "/v1/keys/self", { key })).body;
    const ended = await api.call("GET", `/v1/audit?action=session.ended&actor=${id}`);
    expect(ended.body.data).toHaveLength(1);
  });

  test("ends at once when its key is revoked or expires, and is narrowed with it", async ({ api }) => {
    const change = (key: string, set: string) =>
      api.db.pool.query(`UPDATE api_keys SET ${set} WHERE hash = $1`, [hashApiKey(key)]);
    const key = await storeKey(api, ["write"]);
    const cookie = await cookieOf(api, key);
    const create = (name: string) => ask(api, { ...cookie, ...SAME_ORIGIN }, "/v1/sources", "POST", { name });
    expect((await create("by-session")).status).toBe(201);
    await change(key, "scopes = '{read}'");
    expect((await create("by-narrowed-session")).status).toBe(403);
    await change(key, "revoked_at = now()");
    expect((await ask(api, cookie)).status).toBe(401);
    expect((await ask(api, cookie, SESSION)).body.code).toBe("unauthenticated");
    const expiring = await storeKey(api, ["read"]);
    const other = await cookieOf(api, expiring);
    await change(expiring, "expires_at = now()");
    expect((await ask(api, other)).status).toBe(401);
  });

  test("of ADMIN_API_KEY ends when that key is changed or removed", async ({ api }) => {
    const cookie = await cookieOf(api, ADMIN_KEY);
    const { masterKey } = api;
    const same = await createTestApi(api.db, { masterKey });
    expect((await ask(same, cookie)).status).toBe(200);
    for (const adminApiKey of [new Secret("another-admin-key-of-this-test"), undefined]) {
      expect((await ask(await createTestApi(api.db, { masterKey, adminApiKey }), cookie)).status).toBe(401);
    }
  });

  test("is stored without its token, and ends with a sign-out, which clears the cookie", async ({ api }) => {
    const key = await storeKey(api, ["admin"]);
    const cookie = await cookieOf(api, key);
    const { rows } = await api.db.pool.query("SELECT * FROM console_sessions");
    expect(JSON.stringify(rows)).not.toContain(cookie.cookie.split("=")[1]);
    const ended = await ask(api, { ...cookie, ...SAME_ORIGIN }, SESSION, "DELETE");
    expect([ended.status, ended.headers.get("set-cookie")]).toEqual([
      204,
      expect.stringMatching(/^sluice=; Max-Age=0;/),
    ]);
    expect((await ask(api, cookie)).status).toBe(401);
    expect((await ask(api, { ...cookie, ...SAME_ORIGIN }, SESSION, "DELETE")).status).toBe(204);
    const { id, name } = (await api.call("GET", "/v1/keys/self", { key })).body;
    const trail = (await api.call("GET", `/v1/audit?action=session.*&actor=${id}`)).body.data;
    expect(trail).toMatchObject([
      { action: "session.ended", actor: { key: id, name }, before: { method: "key" }, remote_address: "192.0.2.1" },
      { action: "session.started", actor: { key: id, name }, after: { method: "key" } },
    ]);
    expect(trail[0].resource).toEqual(trail[1].resource);
  });

  test("ends when the same browser signs in again", async ({ api }) => {
    const before = await cookieOf(api, await storeKey(api, ["admin"]));
    const after = { cookie: setCookieOf(await signIn(api, { key: ADMIN_KEY }, { ...SAME_ORIGIN, ...before })) };
    expect((await ask(api, before)).status).toBe(401);
    expect((await ask(api, after)).status).toBe(200);
    const [started, ended] = (await api.call("GET", "/v1/audit?action=session.*&limit=2")).body.data;
    expect([started.action, ended.action]).toEqual(["session.started", "session.ended"]);
    // A sign-in that fails ends nothing.
    expect((await signIn(api, { key: "wrong" }, { ...SAME_ORIGIN, ...after })).status).toBe(401);
    expect((await ask(api, after)).status).toBe(200);
  });

  test("ends the live tail that it opened", async ({ api }) => {
    const tails = new Tails({
      db: api.db,
      log: openLog("gateway", "silent"),
      limits: { ...TAIL_LIMITS, recheckMs: 0 },
    });
    onTestFinished(() => tails.close());
    const cookie = await cookieOf(api, await storeKey(api, ["read"]));
    const reader = (await createApi({ ...api, tails }).request("/v1/tail", { headers: cookie })).body?.getReader();
    expect((await reader?.read())?.done).toBe(false);
    expect((await ask(api, { ...cookie, ...SAME_ORIGIN }, SESSION, "DELETE")).status).toBe(204);
    await seedEvent(api);
    expect(await reader?.read()).toMatchObject({ done: true });
  });
});

describe("a sign-in with a wrong key", () => {
  test("is a 401, and soon a 429, by the same limit as requests with wrong keys", async ({ database }) => {
    vi.useFakeTimers({ toFake: ["Date"] });
    onTestFinished(() => void vi.useRealTimers());
    const api = await createTestApi(database.db);
    const statuses = [];
    for (let tries = 0; tries < 5; tries++) {
      statuses.push((await signIn(api, { key: "wrong" })).status, (await signIn(api, { code: "wrong" })).status);
    }
    expect(new Set(statuses)).toEqual(new Set([401]));
    const refused = await signIn(api, { key: "wrong" });
    expect([refused.status, refused.body.code]).toEqual([429, "rate_limited"]);
    expect((await api.call("GET", "/v1/sources", { key: "wrong" })).status).toBe(429);
    expect((await signIn(api, { key: ADMIN_KEY })).status).toBe(201);
  });

  test("names the field at fault, and METRICS_KEY does not sign in", async ({ api }) => {
    const metricsKey = new Secret("metrics-key-of-at-least-32-characters");
    const own = await createTestApi(api.db, { metricsKey });
    expect((await signIn(own, { key: metricsKey.reveal() })).body.code).toBe("forbidden");
    for (const body of [{}, { key: "" }, { key: "a", code: "b" }, { kee: "a" }, "no json"]) {
      const answer = await signIn(api, body as object);
      expect([answer.status, answer.body.code]).toEqual([400, "invalid_request"]);
      expect(answer.body.errors).toHaveLength(1);
    }
    const form = await signIn(api, { key: ADMIN_KEY }, { ...SAME_ORIGIN, "content-type": "text/plain" });
    expect(form.status).toBe(415);
  });
});

describe("a one-time code", () => {
  test("signs in once, as the key that made it", async ({ api }) => {
    const key = await storeKey(api, ["read"]);
    const made = await make(api, key);
    expect(made.status).toBe(201);
    expect(Math.abs(Date.parse(made.body.expires_at) - Date.now() - 600_000)).toBeLessThan(60_000);
    const { rows } = await api.db.pool.query("SELECT * FROM console_codes");
    expect(JSON.stringify(rows)).not.toContain(made.body.code);
    const answers = await Promise.all([1, 2, 3].map(() => signIn(api, { code: made.body.code })));
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(2);
    const used = answers.find(({ status }) => status === 201);
    expect(used?.body).toMatchObject({ method: "code", scopes: ["read"] });
    expect((await signIn(api, { code: made.body.code })).body.code).toBe("unauthenticated");
    const ofAdmin = await make(api, ADMIN_KEY, { valid_seconds: 3_600 });
    expect((await signIn(api, { code: ofAdmin.body.code })).body).toMatchObject({ key_id: null, scopes: ["admin"] });
  });

  test("does not sign in after it expired, or after its key was revoked", async ({ api }) => {
    const expired = (await make(api, ADMIN_KEY)).body.code;
    await api.db.pool.query("UPDATE console_codes SET expires_at = now()");
    expect((await signIn(api, { code: expired })).status).toBe(401);
    const key = await storeKey(api, ["admin"]);
    const { code } = (await make(api, key)).body;
    await api.db.pool.query("UPDATE api_keys SET revoked_at = now() WHERE hash = $1", [hashApiKey(key)]);
    expect((await signIn(api, { code })).status).toBe(401);
  });

  test("is made with an API key alone, for an hour at most", async ({ api }) => {
    const cookie = await cookieOf(api, ADMIN_KEY);
    expect((await make(api, null)).status).toBe(401);
    expect((await ask(api, { ...cookie, ...SAME_ORIGIN }, "/console/codes", "POST", {})).status).toBe(401);
    expect((await make(api, ADMIN_KEY, { valid_seconds: 3_601 })).body.errors[0].pointer).toBe("/valid_seconds");
  });
});
