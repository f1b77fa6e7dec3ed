import { describe, expect } from "vitest";

import { formatId, newId } from "@sluice/shared/domain/ids";
import { ensureBuiltInSources } from "@sluice/store/configuration/sources";

import {
  A_SECRET,
  createTestApi,
  ENVIRONMENT_SECRET,
  pointersOf,
  readSecret,
  test,
  type TestApi,
} from "../../../../../tests/support/api/test-api.ts";
import { loadSources } from "../../../../../tests/support/load-sources.ts";

const noSource = formatId("src", newId());

async function keysOf(api: TestApi, name: string): Promise<string[]> {
  const source = (await loadSources(api.db, api.masterKey)).find((each) => each.name === name);
  return source?.hmacKeys.map(({ key }) => key.export().toString("base64")) ?? [];
}

const base64Of = (secret: string) => readSecret(secret).key.export().toString("base64");

describe("creating a source", () => {
  test("the answer has the source, its location, and the generated secret", async ({ api }) => {
    const refreshes = api.refreshes.count;
    const answer = await api.call("POST", "/v1/sources", { body: { name: "generated" } });
    const secret = answer.body.new_signing_secret as string;
    expect(answer.status).toBe(201);
    expect(answer.headers.get("location")).toBe(`/v1/sources/${answer.body.id}`);
    expect(answer.body).toEqual({
      id: expect.stringMatching(/^src_/),
      name: "generated",
      kind: "static",
      schemes: ["v1"],
      tolerance_seconds: 300,
      expect_every_seconds: null,
      signing_secrets: [{ truncated_secret: `whsec_...${secret.slice(-4)}`, expire_time: null }],
      gemini_api_key: null,
      upstream: null,
      issuers: [],
      token_types: [],
      max_token_seconds: null,
      audiences: [],
      jwks_uri: null,
      body_unbound: null,
      reconcile: { enabled: false, every_seconds: 300, grace_seconds: 900, lookback_hours: 72 },
      public_keys: [],
      ingress_tokens: [],
      ingress_path: "/in/generated",
      managed_by: null,
      lost_secrets: [],
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      updated_at: answer.body.created_at,
      new_signing_secret: expect.stringMatching(/^whsec_[A-Za-z0-9+/]{43}=$/),
    });
    expect(await keysOf(api, "generated")).toEqual([base64Of(secret)]);
    expect(api.refreshes.count).toBe(refreshes + 1);
    const { new_signing_secret: _, ...source } = answer.body;
    expect((await api.call("GET", answer.headers.get("location") ?? "")).body).toEqual(source);
  });

  test("a secret of the caller is stored, and never shown", async ({ api }) => {
    const body = { name: "given", kind: "static", signing_secret: ` ${A_SECRET}\n`, tolerance_seconds: 60 };
    const answer = await api.call("POST", "/v1/sources", { body });
    expect(answer.status).toBe(201);
    expect(answer.body.tolerance_seconds).toBe(60);
    expect(answer.body).not.toHaveProperty("new_signing_secret");
    expect(JSON.stringify(answer.body)).not.toContain(A_SECRET.slice(6, -4));
    expect(await keysOf(api, "given")).toEqual([base64Of(A_SECRET)]);
  });

  test("the answer names all wrong fields at once", async ({ api }) => {
    const body = { name: "No Capitals", kind: "rpc", signing_secret: "whsec_AAAA", tolerance_seconds: 0 };
    const answer = await api.call("POST", "/v1/sources", { body });
    expect(answer.status).toBe(400);
    expect(answer.body.errors).toEqual([
      { pointer: "/name", detail: 'must be 1 to 64 of a-z, 0-9, "_" and "-", and start with a letter or a digit' },
      { pointer: "/kind", detail: 'must be one of "static", "dynamic"' },
      { pointer: "/signing_secret", detail: 'must hold at least 16 bytes after "whsec_"' },
      { pointer: "/tolerance_seconds", detail: "must be at least 1" },
    ]);
    expect(answer.body.detail).toContain("/tolerance_seconds must be at least 1");
  });

  test.for([
    [{}, "/name", "is required"],
    [{ name: null }, "/name", "must be a string"],
    [{ name: "" }, "/name", "must be 1 to 64"],
    [{ name: "-a" }, "/name", "start with a letter or a digit"],
    [{ name: "a".repeat(65) }, "/name", "must be 1 to 64"],
    [{ name: "a\u0000" }, "/name", "must be 1 to 64"],
    [{ name: "a\n" }, "/name", "must be 1 to 64"],
    [{ name: "src_01h455vb4pex5vsknk084sn02q" }, "/name", 'must not start with "src_"'],
    [{ name: "d", kind: null }, "/kind", 'must be one of "static", "dynamic"'],
    [{ name: "d", schemes: [] }, "/schemes", "must not be empty"],
    [{ name: "d", schemes: "v1" }, "/schemes", "must be a list"],
    [{ name: "d", schemes: ["v2"] }, "/schemes/0", 'must be one of "v1", "v1a", "jwt"'],
    [{ name: "d", schemes: ["v1", "v1"] }, "/schemes/1", "is in the list already"],
    [{ name: "d", tolerance_seconds: 86_401 }, "/tolerance_seconds", "must be at most 86400"],
    [{ name: "d", expect_every_seconds: 59 }, "/expect_every_seconds", "must be at least 60"],
    [{ name: "d", tolerance_seconds: 1.5 }, "/tolerance_seconds", "must be an integer"],
    [{ name: "d", tolerance_seconds: "300" }, "/tolerance_seconds", "must be a number"],
    [{ name: "d", signing_secret: "" }, "/signing_secret", 'must start with "whsec_"'],
    [{ name: "d", signing_secret: "whsec_!" }, "/signing_secret", "must be base64"],
  ] as const)("%j is refused at %s", async ([body, pointer, detail], { api }) => {
    const answer = await api.call("POST", "/v1/sources", { body });
    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({ code: "invalid_request", errors: [{ pointer }] });
    expect(answer.body.errors[0].detail).toContain(detail);
  });

  test("only one of several simultaneous requests gets a name", async ({ api }) => {
    const create = () => api.call("POST", "/v1/sources", { body: { name: "once" } });
    const answers = await Promise.all([create(), create(), create()]);
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(2);
    const refused = answers.find(({ status }) => status === 409);
    expect(refused?.body).toMatchObject({ code: "name_taken", errors: [{ pointer: "/name" }] });
  });
});

describe("changing a source", () => {
  test("a change leaves all other fields as they are", async ({ api }) => {
    const { body } = await api.call("POST", "/v1/sources", { body: { name: "changing", signing_secret: A_SECRET } });
    const refreshes = api.refreshes.count;
    const changed = await api.call("PATCH", `/v1/sources/${body.id}`, { body: { tolerance_seconds: 10 } });
    expect(changed.status).toBe(200);
    expect(changed.body).toEqual({ ...body, tolerance_seconds: 10, updated_at: expect.any(String) });
    expect(Date.parse(changed.body.updated_at)).toBeGreaterThanOrEqual(Date.parse(body.updated_at));
    const renamed = await api.call("PATCH", `/v1/sources/${body.id}`, { body: { name: "changed" } });
    expect(renamed.body).toMatchObject({ name: "changed", ingress_path: "/in/changed", tolerance_seconds: 10 });
    expect(await keysOf(api, "changed")).toEqual([base64Of(A_SECRET)]);
    expect(api.refreshes.count).toBe(refreshes + 2);
  });

  test("a change to what is there changes nothing, and leaves no entry in the audit trail", async ({ api }) => {
    const key = "AIzaSyA-key-of-this-test-0000000000000";
    const body = {
      name: "unchanged",
      signing_secret: A_SECRET,
      gemini_api_key: key,
      tolerance_seconds: 60,
      reconcile: { enabled: true, every_seconds: 60 },
    };
    const created = await api.call("POST", "/v1/sources", { body });
    const path = created.headers.get("location") ?? "";
    for (const same of [{}, body, { signing_secret: A_SECRET }, { gemini_api_key: key }, { reconcile: {} }]) {
      const answer = await api.call("PATCH", path, { body: same });
      expect(answer.status).toBe(200);
      expect(answer.headers.get("etag")).toBe(created.headers.get("etag"));
    }
    const entries = async () =>
      (await api.call("GET", `/v1/audit?resource=${created.body.id}&action=source.updated`)).body.data.length;
    expect(await entries()).toBe(0);
    const changes = [
      { tolerance_seconds: 61 },
      { expect_every_seconds: 3_600 },
      { expect_every_seconds: null },
      { signing_secret: ENVIRONMENT_SECRET },
      { gemini_api_key: `${key}-other` },
      { reconcile: { every_seconds: 61 } },
      { reconcile: { enabled: false }, gemini_api_key: null },
    ];
    let etag = created.headers.get("etag");
    for (const [index, change] of changes.entries()) {
      const changed = await api.call("PATCH", path, { body: change });
      expect(changed.status).toBe(200);
      expect(changed.headers.get("etag")).not.toBe(etag);
      etag = changed.headers.get("etag");
      expect(await entries()).toBe(index + 1);
    }
    // It ends the overlap of the rotation, so that it is a change.
    const rotation = { secret: A_SECRET, previous: "revoke_after_24h" };
    await api.call("POST", `${path}/signing-secrets`, { body: rotation });
    const replaced = await api.call("PATCH", path, { body: { signing_secret: A_SECRET } });
    expect(replaced.body.signing_secrets).toHaveLength(1);
  });

  test("a new secret replaces the old one at once", async ({ api }) => {
    const { body } = await api.call("POST", "/v1/sources", { body: { name: "replaced" } });
    const changed = await api.call("PATCH", `/v1/sources/${body.id}`, { body: { signing_secret: A_SECRET } });
    expect(changed.body.signing_secrets).toEqual([{ truncated_secret: "whsec_...LaSw", expire_time: null }]);
    expect(await keysOf(api, "replaced")).toEqual([base64Of(A_SECRET)]);
  });

  test("a field that cannot be changed is refused by name", async ({ api }) => {
    const { body } = await api.call("POST", "/v1/sources", { body: { name: "fixed" } });
    const answer = await api.call("PATCH", `/v1/sources/${body.id}`, { body: { kind: "dynamic", id: "x", name: "A" } });
    expect(pointersOf(answer)).toEqual(["/name", "/kind", "/id"]);
    const taken = await api.call("PATCH", `/v1/sources/${body.id}`, { body: { name: "gemini" } });
    expect(taken.body).toMatchObject({ status: 409, code: "name_taken" });
  });
});

describe("the built-in sources", () => {
  test("gemini can be changed, and shows GEMINI_SIGNING_SECRET beside its stored secret", async ({ api }) => {
    const path = `/v1/sources/${formatId("src", api.geminiId)}`;
    const changed = await api.call("PATCH", path, {
      body: { name: "gemini", tolerance_seconds: 600, signing_secret: A_SECRET },
    });
    expect(changed.status).toBe(200);
    const own = { truncated_secret: "whsec_...LaSw", expire_time: null };
    const ofEnvironment = { truncated_secret: "whsec_...b7oD", expire_time: null, variable: "GEMINI_SIGNING_SECRET" };
    expect(changed.body.signing_secrets).toEqual([own, ofEnvironment]);
    const without = await createTestApi(api.db, { geminiSigningSecret: undefined });
    expect((await without.call("GET", path)).body.signing_secrets).toEqual([own]);
  });

  test.for(["geminiId", "dynamicId"] as const)(
    "the one with %s can be neither renamed nor deleted",
    async (id, { api }) => {
      const path = `/v1/sources/${formatId("src", api[id])}`;
      for (const answer of [
        await api.call("DELETE", path),
        await api.call("PATCH", path, { body: { name: "other" } }),
      ]) {
        expect(answer.status).toBe(409);
        expect(answer.body).toMatchObject({
          code: "protected_source",
          detail: expect.stringContaining("at every start"),
        });
      }
      expect((await api.call("GET", path)).status).toBe(200);
    },
  );

  test("are created once by several processes, and keep their changed settings", async ({ api }) => {
    const path = `/v1/sources/${formatId("src", api.dynamicId)}`;
    await api.call("PATCH", path, { body: { audiences: ["mine"] } });
    await Promise.all([ensureBuiltInSources(api.db), ensureBuiltInSources(api.db), ensureBuiltInSources(api.db)]);
    expect((await api.call("GET", path)).body.audiences).toEqual(["mine"]);
  });
});

describe("reading and deleting sources", () => {
  test("a deleted source is gone at once", async ({ api }) => {
    const { body } = await api.call("POST", "/v1/sources", { body: { name: "deleted" } });
    const refreshes = api.refreshes.count;
    const answer = await api.call("DELETE", `/v1/sources/${body.id}`);
    expect(answer.status).toBe(204);
    expect(answer.body).toBeUndefined();
    expect(api.refreshes.count).toBe(refreshes + 1);
    for (const method of ["GET", "DELETE", "PATCH"]) {
      const gone = await api.call(method, `/v1/sources/${body.id}`, method === "PATCH" ? { body: {} } : {});
      expect(gone.body).toMatchObject({ status: 404, code: "not_found" });
    }
    expect((await api.call("GET", `/v1/sources/${noSource}`)).status).toBe(404);
  });

  test("the pages of the list have every source once, newest first", async ({ api }) => {
    for (const name of ["page-1", "page-2", "page-3"]) await api.call("POST", "/v1/sources", { body: { name } });
    const whole = (await api.call("GET", "/v1/sources")).body;
    expect(whole.next_cursor).toBeNull();
    const ids = whole.data.map(({ id }: { id: string }) => id) as string[];
    expect(ids).toEqual(ids.toSorted().toReversed());
    const walked: string[] = [];
    let query = "?limit=2";
    do {
      const page = (await api.call("GET", `/v1/sources${query}`)).body;
      expect(page.data.length).toBeLessThanOrEqual(2);
      walked.push(...page.data.map(({ id }: { id: string }) => id));
      query = page.next_cursor === null ? "" : `?limit=2&cursor=${page.next_cursor}`;
    } while (query !== "");
    expect(walked).toEqual(ids);
  });

  test("a limit outside 1 to 250 and a cursor of another list are refused", async ({ api }) => {
    for (const limit of ["0", "251", "-1", "1.5", "ten", "", "1e2", "%20", "1000"]) {
      const answer = await api.call("GET", `/v1/sources?limit=${limit}`);
      expect(answer.body.errors).toEqual([{ pointer: "?limit", detail: "must be an integer from 1 to 250" }]);
    }
    const { next_cursor: cursor } = (await api.call("GET", "/v1/sources?limit=1")).body;
    for (const path of ["/v1/sources?cursor=x", "/v1/sources?cursor=", `/v1/targets?cursor=${cursor}`]) {
      expect((await api.call("GET", path)).body).toMatchObject({ status: 400, code: "invalid_cursor" });
    }
  });
});
