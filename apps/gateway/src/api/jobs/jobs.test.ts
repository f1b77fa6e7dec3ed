// /v1/jobs: announcing a job, giving it its name, and what the list shows; and how a source is reconciled.

import { randomUUID } from "node:crypto";

import { describe, expect } from "vitest";

import { formatId, newId, parseId } from "@sluice/shared/domain/ids";
import { Secret } from "@sluice/shared/settings/secret";
import { CALLBACK_KEY_PURPOSE, readCallbackToken } from "@sluice/signature/callback-token";
import { wantJobEnds } from "@sluice/store/upstream/jobs-ends";
import { claimJobReader, reconcileNow } from "@sluice/store/upstream/jobs-readers";
import { spendGeminiRequest } from "@sluice/store/upstream/request-budget";
import { listSourcesWithKey } from "@sluice/store/configuration/gemini-keys";

import { createTestApi, pointersOf, test, type TestApi } from "../../../../../tests/support/api/test-api.ts";

const KEY = "AIzaSyExampleExampleExampleExample12345";

/** A dynamic source with a key of the Gemini API. */
async function addSource(api: TestApi, changes: object = {}) {
  const body = { name: `jobs-${randomUUID().slice(0, 8)}`, kind: "dynamic", gemini_api_key: KEY, ...changes };
  const { body: source } = await api.call("POST", "/v1/sources", { body });
  return source as { id: string; name: string };
}

const announce = (api: TestApi, body: object) => api.call("POST", "/v1/jobs", { body });

describe("POST /v1/jobs", () => {
  test("announces a job, which is read, listed and audited", async ({ api }) => {
    const source = await addSource(api);
    const before = Date.now();
    const job = { kind: "interaction", name: "interactions/v1_abc", source: source.name, labels: { team: "a" } };
    const created = await announce(api, { ...job, expect_within_seconds: 60 });
    expect(created.status).toBe(201);
    expect(created.headers.get("location")).toBe(`/v1/jobs/${created.body.id}`);
    expect(created.body).toEqual({
      id: expect.stringMatching(/^job_/),
      kind: "interaction",
      name: "v1_abc",
      source: source.id,
      status: "waiting",
      state: null,
      labels: { team: "a" },
      expected_at: expect.any(String),
      ended_at: null,
      event: null,
      problem: null,
      checked_at: null,
      next_check_at: created.body.expected_at,
      created_at: expect.any(String),
    });
    expect(Date.parse(created.body.expected_at)).toBeGreaterThanOrEqual(before + 60_000);
    expect(Date.parse(created.body.expected_at)).toBeLessThanOrEqual(Date.now() + 60_000);
    expect((await api.call("GET", `/v1/jobs/${created.body.id}`)).body).toEqual(created.body);
    expect((await api.call("GET", `/v1/jobs?source=${source.name}`)).body.data).toEqual([created.body]);

    const again = await announce(api, { ...job, expect_within_seconds: 30, labels: { team: "b" } });
    expect(again.status).toBe(200);
    expect(again.body).toMatchObject({ id: created.body.id, labels: { team: "b" } });
    await api.db.pool.query("UPDATE jobs SET status = 'seen', next_check_at = NULL WHERE name = 'v1_abc'");
    const finished = await announce(api, { ...job, labels: { team: "c" } });
    expect(finished.body).toMatchObject({ status: "seen", labels: { team: "b" } });
    const entries = (await api.call("GET", `/v1/audit?resource=${created.body.id}`)).body.data;
    expect(entries.map(({ action }: { action: string }) => action)).toEqual(["job.updated", "job.created"]);
  });

  test("takes each form of a name, and expects a batch for a day", async ({ api }) => {
    const source = await addSource(api);
    const before = Date.now();
    const forms = [
      ["batch", "abc", "batches/abc"],
      ["batch", "batches/def", "batches/def"],
      ["video", "models/veo-3.1/operations/ghi", "models/veo-3.1/operations/ghi"],
    ] as const;
    for (const [kind, given, name] of forms) {
      const { status, body } = await announce(api, { kind, name: given, source: source.id });
      expect(status).toBe(201);
      expect(body.name).toBe(name);
      if (kind === "batch") expect(Date.parse(body.expected_at)).toBeGreaterThanOrEqual(before + 86_400_000);
    }
    const named = await api.call("GET", `/v1/jobs?name=abc&source=${source.id}`);
    expect(named.body.data).toMatchObject([{ name: "batches/abc" }]);
  });

  test("needs a key of the source, which GEMINI_API_KEY is for the source gemini", async ({ api }) => {
    const job = { kind: "batch", name: "abc", source: "gemini" };
    expect((await announce(api, job)).body).toMatchObject({ status: 409, code: "gemini_key_missing" });
    const withKey = await createTestApi(api.db, { geminiApiKey: new Secret(KEY) });
    expect((await announce(withKey, job)).status).toBe(201);
  });

  test.for([
    [{ kind: "audio" }, "/kind"],
    [{ name: "models/veo/abc" }, "/name"],
    [{ name: "" }, "/name"],
    [{ kind: "video", name: "abc" }, "/name"],
    [{ expect_within_seconds: 0 }, "/expect_within_seconds"],
    [{ expect_within_seconds: 604_801 }, "/expect_within_seconds"],
    [{ labels: { "a b": "c" } }, "/labels/a b"],
    [{ source: "nobody" }, "/source"],
    [{ status: "seen" }, "/status"],
  ] as const)("refuses %j at %s", async ([changes, pointer], { api }) => {
    const source = await addSource(api);
    const answer = await announce(api, { kind: "batch", name: "abc", source: source.name, ...changes });
    expect(answer.status).toBe(400);
    expect(pointersOf(answer)).toEqual([pointer]);
  });
});

describe("a callback URL with a job", () => {
  test("announces it, and its name is sent later", async ({ api }) => {
    const source = await addSource(api);
    const path = `/v1/sources/${source.id}/callback-urls`;
    const made = (await api.call("POST", path, { body: { labels: { a: "b" }, job: { kind: "video" } } })).body;
    expect(made.job).toMatch(/^job_/);
    const token = readCallbackToken(api.masterKey.deriveKey(CALLBACK_KEY_PURPOSE), made.ingress_path.split("/").at(-1));
    expect(token?.labels).toEqual({ a: "b", sluice_job: made.job });
    expect(made.labels).toEqual(token?.labels);
    const job = (await api.call("GET", `/v1/jobs/${made.job}`)).body;
    expect(job).toMatchObject({ kind: "video", name: null, status: "waiting", labels: token?.labels });

    const name = "models/veo/operations/abc";
    const patch = (body: object, headers = {}) => api.call("PATCH", `/v1/jobs/${made.job}`, { body, headers });
    expect(pointersOf(await patch({ name: "abc" }))).toEqual(["/name"]);
    expect((await patch({ name }, { "if-match": '"other"' })).body.code).toBe("precondition_failed");
    expect((await patch({ name })).body).toMatchObject({ id: made.job, name });
    expect((await patch({ name })).status).toBe(200);
    expect(pointersOf(await patch({ name: "models/veo/operations/other" }))).toEqual(["/name"]);
    const second = (await api.call("POST", path, { body: { labels: {}, job: { kind: "video" } } })).body;
    const taken = await api.call("PATCH", `/v1/jobs/${second.job}`, { body: { name } });
    expect(taken.body).toMatchObject({ code: "name_taken", errors: [{ pointer: "/name" }] });
    const actions = (await api.call("GET", `/v1/audit?resource=${made.job}`)).body.data;
    expect(actions.map(({ action }: { action: string }) => action)).toEqual(["job.updated", "job.created"]);
  });

  test("needs a key of the source", async ({ api }) => {
    const source = await addSource(api, { gemini_api_key: undefined });
    const body = { labels: {}, job: { kind: "batch" } };
    const answer = await api.call("POST", `/v1/sources/${source.id}/callback-urls`, { body });
    expect(answer.body).toMatchObject({ code: "gemini_key_missing" });
  });
});

describe("GET /v1/jobs", () => {
  test("filters by status, kind, source and name, page by page", async ({ api }) => {
    const source = await addSource(api);
    const ids: string[] = [];
    for (const name of ["one", "two", "three"]) {
      ids.push((await announce(api, { kind: "interaction", name, source: source.id })).body.id);
    }
    const batch = (await announce(api, { kind: "batch", name: "one", source: source.id })).body.id;
    await api.db.pool.query("UPDATE jobs SET status = 'overdue' WHERE id = $1", [parseId("job", ids[1] ?? "", "id")]);
    const list = async (query: string) =>
      (await api.call("GET", `/v1/jobs?source=${source.id}${query}`)).body.data.map(({ id }: { id: string }) => id);
    expect(await list("")).toEqual([batch, ids[2], ids[1], ids[0]]);
    expect(await list("&status=overdue&status=failed")).toEqual([ids[1]]);
    expect(await list("&kind=batch")).toEqual([batch]);
    expect(await list("&name=one")).toEqual([batch, ids[0]]);
    const page = (await api.call("GET", `/v1/jobs?source=${source.id}&limit=3`)).body;
    expect(await list(`&limit=3&cursor=${page.next_cursor}`)).toEqual([ids[0]]);
    expect(pointersOf(await api.call("GET", "/v1/jobs?status=done"))).toEqual(["?status"]);
    expect((await api.call("GET", `/v1/jobs/${formatId("job", newId())}`)).body.code).toBe("not_found");
    expect((await api.call("GET", "/v1/jobs/job_1")).body.code).toBe("invalid_id");
  });

  test("shows what each key has used of its budget, and no key", async ({ api }) => {
    const source = await addSource(api);
    const [held] = await listSourcesWithKey(api.db, api.masterKey, undefined, parseId("src", source.id, "id"));
    const { keyId = "", sourceId = "" } = held ?? {};
    await claimJobReader(api.db, [keyId], newId(), 1);
    await wantJobEnds(api.db, keyId, [sourceId]);
    for (let sent = 0; sent < 3; sent++) await spendGeminiRequest(api.db, keyId, 1_000);
    const { readers } = (await api.call("GET", "/v1/jobs")).body;
    expect(readers).toContainEqual({
      sources: expect.arrayContaining([source.id]),
      requests_this_hour: 3,
      requests_per_hour: 1_000,
      listed_at: null,
      paused_until: null,
      problem: null,
    });
    expect(JSON.stringify(readers)).not.toContain(KEY);
    // What `heal` asks for: the whole list, down to when webhooks may have been lost.
    await reconcileNow(api.db, sourceId, Date.parse("2026-01-22T12:00:00Z"));
    await reconcileNow(api.db, sourceId, Date.parse("2026-01-23T12:00:00Z"));
    const { rows } = await api.db.pool.query<{ list_since: Date; is_due: boolean }>(
      "SELECT list_since, next_full_list_at <= now() AND next_list_at <= now() AS is_due FROM job_readers WHERE key_id = $1",
      [keyId],
    );
    expect(rows[0]?.list_since.toISOString()).toBe("2026-01-22T12:00:00.000Z");
    expect(rows[0]?.is_due).toBe(true);
  });
});

describe("reconcile of a source", () => {
  test("is off until it is asked for, and changes by its fields", async ({ api }) => {
    const defaults = { enabled: false, every_seconds: 300, grace_seconds: 900, lookback_hours: 72 };
    const source = await addSource(api);
    expect(source).toMatchObject({ reconcile: defaults });
    const patch = (body: object) => api.call("PATCH", `/v1/sources/${source.id}`, { body });
    expect((await patch({ reconcile: { enabled: true } })).body.reconcile).toEqual({ ...defaults, enabled: true });
    const changed = await patch({ reconcile: { grace_seconds: 60 } });
    expect(changed.body.reconcile).toEqual({ ...defaults, enabled: true, grace_seconds: 60 });
    expect((await api.call("GET", `/v1/sources/${source.id}`)).body).toEqual(changed.body);
    const made = await addSource(api, { reconcile: { enabled: true, lookback_hours: 1 } });
    expect(made).toMatchObject({ reconcile: { ...defaults, enabled: true, lookback_hours: 1 } });
  });

  test("needs a key of the Gemini API, and keeps it", async ({ api }) => {
    const without = await addSource(api, { gemini_api_key: undefined });
    const patch = (id: string, body: object) => api.call("PATCH", `/v1/sources/${id}`, { body });
    expect(pointersOf(await patch(without.id, { reconcile: { enabled: true } }))).toEqual(["/reconcile/enabled"]);
    const refused = await api.call("POST", "/v1/sources", { body: { name: "refused", reconcile: { enabled: true } } });
    expect(pointersOf(refused)).toEqual(["/reconcile/enabled"]);
    const source = await addSource(api, { reconcile: { enabled: true } });
    expect(pointersOf(await patch(source.id, { gemini_api_key: null }))).toEqual(["/gemini_api_key"]);
    expect((await patch(source.id, { gemini_api_key: null, reconcile: { enabled: false } })).status).toBe(200);
    const withKey = await createTestApi(api.db, { geminiApiKey: new Secret(KEY) });
    const gemini = await withKey.call("PATCH", `/v1/sources/${formatId("src", api.geminiId)}`, {
      body: { reconcile: { enabled: true } },
    });
    expect(gemini.body.reconcile.enabled).toBe(true);
    await api.db.pool.query("DELETE FROM reconciliations WHERE source_id = $1", [api.geminiId]);
  });

  test.for([
    [{ every_seconds: 9 }, "/reconcile/every_seconds"],
    [{ grace_seconds: 86_401 }, "/reconcile/grace_seconds"],
    [{ lookback_hours: 169 }, "/reconcile/lookback_hours"],
    [{ enabled: "yes" }, "/reconcile/enabled"],
    [{ on: true }, "/reconcile/on"],
  ] as const)("%j is refused at %s", async ([reconcile, pointer], { api }) => {
    const answer = await api.call("PATCH", `/v1/sources/${formatId("src", api.dynamicId)}`, { body: { reconcile } });
    expect(pointersOf(answer)).toEqual([pointer]);
  });
});
