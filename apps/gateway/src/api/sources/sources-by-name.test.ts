// PUT of a source by its name: what goes back to its default, and which credentials stay.

import { expect } from "vitest";

import { A_SECRET, pointersOf, readSecret, test, type TestApi } from "../../../../../tests/support/api/test-api.ts";
import { loadSources } from "../../../../../tests/support/load-sources.ts";

const put = (api: TestApi, name: string, body: object) => api.call("PUT", `/v1/sources/by-name/${name}`, { body });

async function keysOf(api: TestApi, name: string): Promise<string[]> {
  const source = (await loadSources(api.db, api.masterKey)).find((each) => each.name === name);
  return source?.hmacKeys.map(({ key }) => key.export().toString("base64")) ?? [];
}

const base64Of = (secret: string) => readSecret(secret).key.export().toString("base64");

test("a static source keeps its secret and its key of the Gemini API, and nothing else", async ({ api }) => {
  const refreshes = api.refreshes.count;
  const made = await put(api, "static", {
    signing_secret: A_SECRET,
    tolerance_seconds: 60,
    gemini_api_key: "AIzaSyExample-1234",
    reconcile: { enabled: true, every_seconds: 60 },
  });
  expect(made).toMatchObject({ status: 201, body: { reconcile: { enabled: true, every_seconds: 60 } } });
  expect(made.body).not.toHaveProperty("new_signing_secret");
  const replaced = await put(api, "static", {});
  expect(replaced).toMatchObject({
    status: 200,
    body: {
      id: made.body.id,
      tolerance_seconds: 300,
      gemini_api_key: "...1234",
      reconcile: { enabled: false, every_seconds: 300, grace_seconds: 900, lookback_hours: 72 },
    },
  });
  expect(await keysOf(api, "static")).toEqual([base64Of(A_SECRET)]);
  expect(api.refreshes.count).toBe(refreshes + 2);

  const other = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
  expect((await put(api, "static", { signing_secret: other, gemini_api_key: null })).body.gemini_api_key).toBeNull();
  expect(await keysOf(api, "static")).toEqual([base64Of(other)]);
});

test("a new source may be given null for the key of the Gemini API", async ({ api }) => {
  expect(await put(api, "no-key", { gemini_api_key: null })).toMatchObject({
    status: 201,
    body: { gemini_api_key: null, new_signing_secret: expect.stringMatching(/^whsec_/) },
  });
});

test("a dynamic source keeps its tokens, and nothing else", async ({ api }) => {
  const settings = { kind: "dynamic", audiences: ["a"], max_token_seconds: 60, body_unbound: "mark", schemes: ["jwt"] };
  const made = await put(api, "dynamic", settings);
  expect(made).toMatchObject({ status: 201, body: { new_ingress_token: expect.stringMatching(/^it_/) } });
  const replaced = await put(api, "dynamic", { kind: "dynamic" });
  expect(replaced.body).toMatchObject({
    audiences: [],
    max_token_seconds: 3600,
    body_unbound: "reject",
    schemes: ["v1a", "jwt"],
    ingress_tokens: made.body.ingress_tokens,
  });
  expect(replaced.body.ingress_tokens).toHaveLength(1);
});

test("the kind of a source cannot be changed, and is static where it is left out", async ({ api }) => {
  await put(api, "kind", { kind: "dynamic" });
  for (const body of [{}, { kind: "static" }]) expect(pointersOf(await put(api, "kind", body))).toEqual(["/kind"]);
  expect(pointersOf(await put(api, "kind", { kind: "dynamic", signing_secret: A_SECRET }))).toEqual([
    "/signing_secret",
  ]);
  expect(pointersOf(await put(api, "new-kind", { audiences: ["a"] }))).toEqual(["/audiences"]);
});

test("a PUT is checked as a creation is", async ({ api }) => {
  const forbidden = { kind: "dynamic", jwks_uri: "https://169.254.169.254/" };
  for (let count = 0; count < 2; count++) {
    expect(pointersOf(await put(api, "checked", forbidden))).toEqual(["/jwks_uri"]);
    expect(pointersOf(await put(api, "checked", { kind: "dynamic", reconcile: { enabled: true } }))).toEqual([
      "/reconcile/enabled",
    ]);
    await put(api, "checked", { kind: "dynamic" });
  }
});

test("a PUT of the same settings does not have the jobs at Gemini listed again", async ({ api }) => {
  const body = { gemini_api_key: "AIzaSyExample-5678", reconcile: { enabled: true } };
  const { id } = (await put(api, "listed", body)).body;
  await api.db.pool.query("INSERT INTO job_readers (key_id) VALUES ('listed')");
  const listing = async () =>
    (await api.db.pool.query("SELECT list_since FROM job_readers WHERE key_id = 'listed'")).rows;
  await api.db.pool.query(
    "INSERT INTO job_sources (source_id, key_id) SELECT id, 'listed' FROM sources WHERE name = 'listed'",
  );
  await put(api, "listed", { reconcile: { enabled: true } });
  expect(await listing()).toEqual([{ list_since: null }]);
  await api.call("PATCH", `/v1/sources/${id}`, { body: { reconcile: { lookback_hours: 100 } } });
  expect(await listing()).toEqual([{ list_since: expect.any(Date) }]);
});

test("a built-in source takes settings, and is neither deleted nor made again", async ({ api }) => {
  expect((await put(api, "gemini", { tolerance_seconds: 60 })).body.tolerance_seconds).toBe(60);
  const path = "/v1/sources/by-name/gemini";
  expect((await api.call("DELETE", path)).body.code).toBe("protected_source");
  expect((await api.call("PUT", path, { body: {}, headers: { "if-none-match": "*" } })).status).toBe(412);
  expect((await api.call("GET", path)).status).toBe(200);
});
