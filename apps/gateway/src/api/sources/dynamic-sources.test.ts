// Sources for dynamic webhooks: their settings, and the refusal of fields that belong to the other kind of source.

import { createPublicKey } from "node:crypto";

import { describe, expect } from "vitest";

import { formatId } from "@sluice/shared/domain/ids";
import { hashIngressToken } from "@sluice/signature/ingress-token";
import { type Source } from "@sluice/store/configuration/sources";

import { A_SECRET, pointersOf, test, type TestApi } from "../../../../../tests/support/api/test-api.ts";
import { loadSources } from "../../../../../tests/support/load-sources.ts";

const GOOGLES = "https://generativelanguage.googleapis.com/.well-known/jwks.json";
const A_KEY = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=";

async function load(api: TestApi, name: string): Promise<Source | undefined> {
  return (await loadSources(api.db, api.masterKey)).find((source) => source.name === name);
}

const long = (length: number) => Array.from({ length }, (_, index) => `entry ${index}`);
const keys = (count: number) =>
  Array.from({ length: count }, (_, index) => `whpk_${Buffer.alloc(32, index).toString("base64")}`);

describe("creating a dynamic source", () => {
  test("the answer has the source with its defaults, and shows its first token once", async ({ api }) => {
    const refreshes = api.refreshes.count;
    const answer = await api.call("POST", "/v1/sources", { body: { name: "plain", kind: "dynamic" } });
    expect(answer.status).toBe(201);
    expect(api.refreshes.count).toBe(refreshes + 1);
    const { new_ingress_token: token, ...source } = answer.body;
    expect(token).toMatch(/^it_[A-Za-z0-9_-]{43}$/);
    expect(source).toEqual({
      id: expect.stringMatching(/^src_/),
      name: "plain",
      kind: "dynamic",
      schemes: ["v1a", "jwt"],
      tolerance_seconds: 300,
      expect_every_seconds: null,
      signing_secrets: [],
      gemini_api_key: null,
      upstream: null,
      issuers: [],
      token_types: [],
      max_token_seconds: 3600,
      audiences: [],
      jwks_uri: GOOGLES,
      body_unbound: "reject",
      reconcile: { enabled: false, every_seconds: 300, grace_seconds: 900, lookback_hours: 72 },
      public_keys: [],
      ingress_tokens: [
        { id: expect.stringMatching(/^itk_/), truncated_token: `it_...${token.slice(-4)}`, expire_time: null },
      ],
      ingress_path: "/in/plain/{token}",
      managed_by: null,
      lost_secrets: [],
      created_at: expect.any(String),
      updated_at: source.created_at,
    });
    expect((await api.call("GET", `/v1/sources/${source.id}`)).body).toEqual(source);
    expect(JSON.stringify(api.logLines)).not.toContain(token);
    const stored = await load(api, "plain");
    expect(stored).toMatchObject({ kind: "dynamic", hmacKeys: [], publicKeys: [], jwksUri: null });
    expect(stored?.ingressTokens).toEqual([{ hash: hashIngressToken(token), expiresAtMs: undefined }]);
  });

  test("every setting is stored, shown, and loaded by the ingress", async ({ api }) => {
    const settings = {
      schemes: ["v1a"],
      tolerance_seconds: 60,
      audiences: ["https://a.example/in", "projects/42"],
      jwks_uri: "http://127.0.0.1:9000/jwks.json",
      body_unbound: "mark",
      public_keys: [A_KEY],
    };
    const answer = await api.call("POST", "/v1/sources", { body: { name: "full", kind: "dynamic", ...settings } });
    expect(answer.status).toBe(201);
    expect(answer.body).toMatchObject(settings);
    const stored = await load(api, "full");
    expect(stored).toMatchObject({
      schemes: ["v1a"],
      toleranceSeconds: 60,
      audiences: settings.audiences,
      jwksUri: settings.jwks_uri,
      bodyUnbound: "mark",
    });
    const x = Buffer.from(A_KEY.slice(5), "base64").toString("base64url");
    const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
    expect(stored?.publicKeys.map((each) => each.equals(key))).toEqual([true]);
  });

  test("a built-in one exists from the start, without a token", async ({ api }) => {
    const { body } = await api.call("GET", `/v1/sources/${formatId("src", api.dynamicId)}`);
    expect(body).toMatchObject({ name: "gemini-dynamic", kind: "dynamic", schemes: ["v1a", "jwt"], jwks_uri: GOOGLES });
    expect(body).toMatchObject({ ingress_tokens: [], ingress_path: "/in/gemini-dynamic/{token}" });
  });

  test.for([
    [{ schemes: [] }, "/schemes", "must not be empty"],
    [{ audiences: long(21) }, "/audiences", "must have at most 20 entries"],
    [{ audiences: ["a", ""] }, "/audiences/1", "must not be empty"],
    [{ audiences: ["a", "a"] }, "/audiences/1", "is in the list already"],
    [{ audiences: ["a\u0000"] }, "/audiences/0", "must not contain control characters"],
    [{ audiences: "a" }, "/audiences", "must be a list"],
    [{ audiences: [1] }, "/audiences/0", "must be a string"],
    [{ jwks_uri: "jwks.json" }, "/jwks_uri", "must be an absolute https URL"],
    [{ jwks_uri: "" }, "/jwks_uri", "must be an absolute https URL"],
    [{ jwks_uri: "https:/a.example" }, "/jwks_uri", "must be an absolute https URL"],
    [{ jwks_uri: "file:///etc/jwks.json" }, "/jwks_uri", "must be an absolute https URL"],
    [
      { jwks_uri: "http://a.example/jwks.json" },
      "/jwks_uri",
      "must be an https URL; http is only allowed for this host",
    ],
    [{ jwks_uri: "http://127.0.0.1.a.example/" }, "/jwks_uri", "must be an https URL"],
    [{ jwks_uri: "http://localhost.a.example/" }, "/jwks_uri", "must be an https URL"],
    [{ jwks_uri: "https://a.example/#b" }, "/jwks_uri", "must not have a fragment"],
    [{ jwks_uri: "https://u:p@a.example/" }, "/jwks_uri", "must not hold credentials"],
    [{ jwks_uri: `https://a.example/${"a".repeat(2048)}` }, "/jwks_uri", "must have at most 2048 characters"],
    [{ body_unbound: "accept" }, "/body_unbound", 'must be one of "reject", "mark"'],
    [{ body_unbound: null }, "/body_unbound", 'must be one of "reject", "mark"'],
    [{ public_keys: keys(9) }, "/public_keys", "must have at most 8 entries"],
    [{ public_keys: [A_KEY, ` ${A_KEY}`] }, "/public_keys/1", "is in the list already"],
    [{ public_keys: ["whpk_AAAA"] }, "/public_keys/0", "base64 of 32 bytes"],
    [{ public_keys: [A_SECRET] }, "/public_keys/0", 'must be "whpk_"'],
  ] as const)("%j is refused at %s", async ([settings, pointer, detail], { api }) => {
    const answer = await api.call("POST", "/v1/sources", { body: { name: "bad", kind: "dynamic", ...settings } });
    expect(answer.status).toBe(400);
    expect(pointersOf(answer)).toEqual([pointer]);
    expect(answer.body.errors[0].detail).toContain(detail);
  });

  test.for(["http://localhost/", "http://127.8.9.1:81/a", "http://[::1]:9000/", "HTTPS://a.example/b?c=d"])(
    "the URL of the key set may be %s",
    async (uri, { api }) => {
      const path = `/v1/sources/${formatId("src", api.dynamicId)}`;
      expect((await api.call("PATCH", path, { body: { jwks_uri: uri } })).body.jwks_uri).toBe(uri);
      expect((await api.call("PATCH", path, { body: { jwks_uri: null } })).body.jwks_uri).toBe(GOOGLES);
    },
  );
});

describe("a field of the other kind is refused by name", () => {
  const dynamicOnly = { audiences: ["a"], jwks_uri: null, body_unbound: "reject", public_keys: [] };

  test("when a source is created", async ({ api }) => {
    const asStatic = { name: "x", ...dynamicOnly, schemes: ["v1", "jwt", "v1a"] };
    const refused = await api.call("POST", "/v1/sources", { body: asStatic });
    expect(refused.status).toBe(400);
    expect(refused.body.errors).toEqual([
      ...Object.keys(dynamicOnly).map((field) => ({
        pointer: `/${field}`,
        detail: "is a field of dynamic sources, and this one is static",
      })),
      { pointer: "/schemes/1", detail: 'is "jwt", a scheme of dynamic sources, and this one is static' },
      { pointer: "/schemes/2", detail: 'is "v1a", a scheme of dynamic sources, and this one is static' },
    ]);
    const asDynamic = { name: "x", kind: "dynamic", signing_secret: A_SECRET, schemes: ["v1", "jwt"] };
    expect((await api.call("POST", "/v1/sources", { body: asDynamic })).body.errors).toEqual([
      { pointer: "/signing_secret", detail: "is a field of static sources, and this one is dynamic" },
      { pointer: "/schemes/0", detail: 'is "v1", a scheme of static sources, and this one is dynamic' },
    ]);
    expect(await load(api, "x")).toBeUndefined();
  });

  test("when a source is changed, and so is a change of its kind", async ({ api }) => {
    const [gemini, dynamic] = [api.geminiId, api.dynamicId].map((id) => `/v1/sources/${formatId("src", id)}`);
    const change = (path: string | undefined, body: object) => api.call("PATCH", path ?? "", { body });
    const before = (await api.call("GET", gemini ?? "")).body;
    expect(pointersOf(await change(gemini, { ...dynamicOnly, schemes: ["v1a"] }))).toEqual([
      ...Object.keys(dynamicOnly).map((field) => `/${field}`),
      "/schemes/0",
    ]);
    expect((await api.call("GET", gemini ?? "")).body).toEqual(before);
    expect(pointersOf(await change(dynamic, { signing_secret: A_SECRET }))).toEqual(["/signing_secret"]);
    expect(pointersOf(await change(dynamic, { schemes: ["jwt", "v1"] }))).toEqual(["/schemes/1"]);
    for (const path of [gemini, dynamic]) {
      for (const kind of ["static", "dynamic"]) expect(pointersOf(await change(path, { kind }))).toEqual(["/kind"]);
    }
  });
});

test("a change of a dynamic source leaves all other settings as they are", async ({ api }) => {
  const settings = { audiences: ["a"], body_unbound: "mark", public_keys: [A_KEY] };
  const created = await api.call("POST", "/v1/sources", { body: { name: "changing", kind: "dynamic", ...settings } });
  const { new_ingress_token: _, ...source } = created.body;
  const path = `/v1/sources/${source.id}`;
  const changed = await api.call("PATCH", path, { body: { schemes: ["jwt"], audiences: [], name: "changed" } });
  expect(changed.body).toEqual({
    ...source,
    name: "changed",
    schemes: ["jwt"],
    audiences: [],
    ingress_path: "/in/changed/{token}",
    updated_at: expect.any(String),
  });
  const unbound = await api.call("PATCH", path, { body: { body_unbound: "reject", public_keys: [] } });
  expect(unbound.body).toMatchObject({ body_unbound: "reject", public_keys: [], schemes: ["jwt"] });
});
