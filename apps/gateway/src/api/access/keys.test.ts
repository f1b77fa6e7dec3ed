// /v1/keys: what a key shows, when it works, and that the last admin key stays.

import { describe, expect } from "vitest";

import { hashApiKey } from "@sluice/store/configuration/api-keys";

import { createTestApi, pointersOf, storeKey, test, type TestApi } from "../../../../../tests/support/api/test-api.ts";
import { createTestDatabase } from "../../../../../tests/support/database.ts";
import { dumpDatabase } from "../../../../../tests/support/dump.ts";

const inAnHour = () => new Date(Date.now() + 3_600_000);

const create = (api: TestApi, body: object, key?: string) =>
  api.call("POST", "/v1/keys", { body, ...(key !== undefined && { key }) });

/** An API over a database of its own, without `ADMIN_API_KEY`, and with one admin key in the database. */
async function createApiWithoutEnvironment(onCleanup: (end: () => Promise<void>) => void) {
  const database = await createTestDatabase();
  onCleanup(database.drop);
  const api = await createTestApi(database.db, { adminApiKey: undefined });
  return { api, admin: await storeKey(api, ["admin"]) };
}

describe("/v1/keys", () => {
  test("makes a key that works, shows it once, and stores and logs it nowhere in the clear", async ({ api }) => {
    const created = await create(api, { name: "billing team", scopes: ["write"] });
    expect(created.status).toBe(201);
    const { key, ...shown } = created.body;
    expect(key).toMatch(/^sluice_[\w-]{43}$/);
    expect(shown).toMatchObject({
      name: "billing team",
      scopes: ["write"],
      state: "active",
      truncated_key: `sluice_...${key.slice(-4)}`,
      expires_at: null,
      last_used_at: null,
    });
    expect(created.headers.get("location")).toBe(`/v1/keys/${shown.id}`);
    expect((await api.call("GET", `/v1/keys/${shown.id}`)).body).toEqual(shown);
    expect((await api.call("GET", "/v1/keys")).body.data).toContainEqual(shown);
    expect((await api.call("GET", "/v1/sources", { key })).status).toBe(200);
    const dump = await dumpDatabase(api.db);
    expect(dump).toContain(hashApiKey(key).toString("hex"));
    expect(dump).not.toContain(key);
    expect(JSON.stringify(api.logLines)).not.toContain(key);
  });

  test("every key may read itself, and nothing of the others", async ({ api }) => {
    const created = await create(api, { name: "reader", scopes: ["read"], expires_at: inAnHour() });
    const { id, name, scopes, expires_at, key } = created.body;
    const own = await api.call("GET", "/v1/keys/self", { key });
    expect(own).toMatchObject({ status: 200, body: { id, name, scopes, expires_at } });
    expect(Object.keys(own.body)).toHaveLength(4);
    expect((await api.call("GET", `/v1/keys/${id}`, { key })).status).toBe(403);
    const environment = await api.call("GET", "/v1/keys/self");
    expect(environment.body).toEqual({ id: null, name: "ADMIN_API_KEY", scopes: ["admin"], expires_at: null });
    expect((await api.call("GET", "/v1/keys/self", { key: null })).status).toBe(401);
  });

  test("lists page by page", async ({ api }) => {
    for (const name of ["one", "two", "three"]) await create(api, { name, scopes: ["read"] });
    const first = await api.call("GET", "/v1/keys?limit=2");
    expect(first.body.data.map(({ name }: { name: string }) => name)).toEqual(["three", "two"]);
    const second = await api.call("GET", `/v1/keys?limit=1&cursor=${first.body.next_cursor}`);
    expect(second.body.data[0].name).toBe("one");
  });

  test("revokes a key at once on every gateway, and revoking it again changes and records nothing", async ({ api }) => {
    const { key, id } = (await create(api, { name: "leaves", scopes: ["read"] })).body;
    expect((await api.call("GET", "/v1/sources", { key })).status).toBe(200);
    const revoked = await api.call("POST", `/v1/keys/${id}:revoke`);
    expect(revoked).toMatchObject({ status: 200, body: { id, state: "revoked" } });
    expect((await api.call("GET", "/v1/sources", { key })).status).toBe(401);
    // A second gateway over the same database.
    expect((await (await createTestApi(api.db)).call("GET", "/v1/sources", { key })).status).toBe(401);
    const again = await api.call("POST", `/v1/keys/${id}:revoke`);
    expect(again.body.revoked_at).toBe(revoked.body.revoked_at);
    const entries = (await api.call("GET", `/v1/audit?resource=${id}`)).body.data;
    expect(entries.map(({ action }: { action: string }) => action)).toEqual(["key.revoked", "key.created"]);
  });

  test("refuses a new key that would expire later than the key that makes it", async ({ api }) => {
    const end = inAnHour();
    const admin = await storeKey(api, ["admin"], end);
    const make = (expires_at: string | null) => create(api, { name: "child", scopes: ["read"], expires_at }, admin);
    for (const later of [null, new Date(end.getTime() + 1).toISOString()]) {
      const refused = await make(later);
      expect(refused.status).toBe(400);
      expect(pointersOf(refused)).toEqual(["/expires_at"]);
    }
    expect(await make(end.toISOString())).toMatchObject({ status: 201, body: { expires_at: end.toISOString() } });
  });

  test("refuses an invalid new key and names the field, and refuses the id of no key", async ({ api }) => {
    for (const [body, pointer] of [
      [{ name: "", scopes: ["read"] }, "/name"],
      [{ name: "a\u0000", scopes: ["read"] }, "/name"],
      [{ scopes: ["read"] }, "/name"],
      [{ name: "a" }, "/scopes"],
      [{ name: "a", scopes: [] }, "/scopes"],
      [{ name: "a", scopes: ["root"] }, "/scopes/0"],
      [{ name: "a", scopes: ["read", "read"] }, "/scopes/1"],
      [{ name: "a", scopes: ["read"], expires_at: "tomorrow" }, "/expires_at"],
      [{ name: "a", scopes: ["read"], expires_at: "2020-01-01T00:00:00Z" }, "/expires_at"],
    ] as const) {
      const refused = await create(api, body);
      expect(refused).toMatchObject({ status: 400, body: { code: "invalid_request" } });
      expect(pointersOf(refused)).toEqual([pointer]);
    }
    expect((await api.call("GET", "/v1/keys/key_1")).body.code).toBe("invalid_id");
    for (const [method, path] of [
      ["GET", "/v1/keys/key_01h455vb4pex5vsknk084sn02q"],
      ["POST", "/v1/keys/key_01h455vb4pex5vsknk084sn02q:revoke"],
    ] as const) {
      expect((await api.call(method, path)).body.code).toBe("not_found");
    }
  });
});

describe("the last admin key", () => {
  test("is not revoked while no other admin key lasts as long", async ({ onTestFinished }) => {
    const { api, admin } = await createApiWithoutEnvironment(onTestFinished);
    const { id } = (await api.call("GET", "/v1/keys", { key: admin })).body.data[0];
    const revoke = (keyId: string) => api.call("POST", `/v1/keys/${keyId}:revoke`, { key: admin });
    await create(api, { name: "writes", scopes: ["write"] }, admin);
    await create(api, { name: "ends", scopes: ["admin"], expires_at: inAnHour().toISOString() }, admin);
    expect(await revoke(id)).toMatchObject({ status: 409, body: { code: "last_admin_key" } });
    expect((await api.call("GET", "/v1/keys", { key: admin })).status).toBe(200);
    const heir = (await create(api, { name: "heir", scopes: ["admin"] }, admin)).body;
    expect((await revoke(id)).status).toBe(200);
    expect((await api.call("GET", "/v1/keys", { key: heir.key })).status).toBe(200);
  });

  test("stays when the last two admin keys are revoked at the same time", async ({ onTestFinished }) => {
    const { api, admin } = await createApiWithoutEnvironment(onTestFinished);
    const other = await storeKey(api, ["admin"]);
    const ids = (await api.call("GET", "/v1/keys", { key: admin })).body.data.map(({ id }: { id: string }) => id);
    const answers = await Promise.all(
      [admin, other].map((key, index) => api.call("POST", `/v1/keys/${ids[1 - index]}:revoke`, { key })),
    );
    const refused = answers.filter(({ status }) => status !== 200);
    expect(refused).toHaveLength(1);
    // 401 when the key of the request was revoked before the look-up, 409 otherwise.
    expect([401, 409]).toContain(refused[0]?.status);
    const { rows } = await api.db.pool.query("SELECT FROM api_keys WHERE revoked_at IS NULL");
    expect(rows).toHaveLength(1);
  });

  test("is revoked when ADMIN_API_KEY is set", async ({ onTestFinished }) => {
    const database = await createTestDatabase();
    onTestFinished(database.drop);
    const api = await createTestApi(database.db);
    await storeKey(api, ["admin"]);
    const { id } = (await api.call("GET", "/v1/keys")).body.data[0];
    expect((await api.call("POST", `/v1/keys/${id}:revoke`)).status).toBe(200);
  });
});
