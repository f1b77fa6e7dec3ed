// Callback URLs carry their labels until they expire, and nothing is stored for them.

import { describe, expect } from "vitest";

import { formatId, newId } from "@sluice/shared/domain/ids";
import { CALLBACK_KEY_PURPOSE, readCallbackToken } from "@sluice/signature/callback-token";
import { readRevision } from "@sluice/store/connection/configuration-revision";

import {
  type Answer,
  createTestApi,
  pointersOf,
  PUBLIC_URL,
  test,
  type TestApi,
} from "../../../../../tests/support/api/test-api.ts";

const DAY_MS = 86_400_000;

const pathOf = (id: string) => `/v1/sources/${formatId("src", id)}/callback-urls`;
const create = (api: TestApi, body: unknown) => api.call("POST", pathOf(api.dynamicId), { body });

/** Reads the token in an answer as the ingress does. */
function read(api: TestApi, { body }: Answer) {
  const key = api.masterKey.deriveKey(CALLBACK_KEY_PURPOSE);
  return readCallbackToken(key, body.ingress_path.split("/").at(-1));
}

describe("a callback URL", () => {
  test("carries its labels, its source and its expiry, and nothing is stored for it", async ({ api }) => {
    const revision = await readRevision(api.db, "sources");
    const labels = { job: "nightly-embeddings", "customer.id": "42", note: "Größe 🙂", constructor: "" };
    const before = Date.now();
    const answer = await create(api, { labels });
    expect(answer.status).toBe(201);
    expect(answer.body).toEqual({
      url: PUBLIC_URL + answer.body.ingress_path,
      ingress_path: expect.stringMatching(/^\/in\/gemini-dynamic\/cb_[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{43}$/),
      labels,
      expire_time: expect.any(String),
      single_use: false,
      job: null,
    });
    const token = read(api, answer);
    expect(token).toMatchObject({ sourceId: api.dynamicId, labels, singleUse: false });
    expect(token?.expiresAtMs).toBe(Date.parse(answer.body.expire_time));
    expect(token?.expiresAtMs).toBeGreaterThanOrEqual(before + 7 * DAY_MS);
    expect(token?.expiresAtMs).toBeLessThan(Date.now() + 7 * DAY_MS + 1);
    expect(await readRevision(api.db, "sources")).toBe(revision);
    expect(JSON.stringify(api.logLines)).not.toContain(answer.body.ingress_path.split("/").at(-1));
  });

  test("is different each time, and can be limited to a single use", async ({ api }) => {
    const body = { labels: {}, single_use: true, expires_in_seconds: 60 };
    const [first, second] = [await create(api, body), await create(api, body)];
    expect(first.body).toMatchObject({ single_use: true, labels: {} });
    expect(read(api, first)).toMatchObject({ singleUse: true });
    expect(read(api, first)?.id).not.toBe(read(api, second)?.id);
  });

  test("is only a path while PUBLIC_URL is not set, and is not valid under another master key", async ({ api }) => {
    const other = await createTestApi(api.db, { publicUrl: undefined });
    const answer = await create(other, { labels: {} });
    expect(answer.body.url).toBeNull();
    expect(read(other, answer)).toBeDefined();
    expect(read(api, answer)).toBeUndefined();
  });

  test("is refused for a static source and for an unknown one", async ({ api }) => {
    const body = { labels: {} };
    expect((await api.call("POST", pathOf(api.geminiId), { body })).body).toMatchObject({ code: "wrong_kind" });
    expect((await api.call("POST", pathOf(newId()), { body })).body).toMatchObject({ code: "not_found" });
  });
});

const entries = (length: number, value = "x") =>
  Object.fromEntries(Array.from({ length }, (_, index) => [`label-${index}`, value]));

describe("a field that is not valid is refused by name:", () => {
  test.for([
    [{}, "/labels", "is required"],
    [{ labels: null }, "/labels", "must be an object"],
    [{ labels: ["a"] }, "/labels", "must be an object"],
    [{ labels: "a" }, "/labels", "must be an object"],
    [{ labels: entries(21) }, "/labels", "must have at most 20 entries"],
    [{ labels: { "": "a" } }, "/labels/", "must have a name of 1 to 64"],
    [{ labels: { "a b": "a" } }, "/labels/a b", "must have a name of 1 to 64"],
    [{ labels: { "a\n": "a" } }, "/labels/a\n", "must have a name of 1 to 64"],
    [{ labels: { ü: "a" } }, "/labels/ü", "must have a name of 1 to 64"],
    [{ labels: { ["a".repeat(65)]: "a" } }, `/labels/${"a".repeat(65)}`, "must have a name of 1 to 64"],
    [{ labels: { ["__proto__"]: "a" } }, "/labels/__proto__", "is a name that cannot be used"],
    [{ labels: { a: 1 } }, "/labels/a", "must be a string"],
    [{ labels: { a: null } }, "/labels/a", "must be a string"],
    [{ labels: { a: "x".repeat(257) } }, "/labels/a", "must have at most 256 characters"],
    // PostgreSQL could not store these, so every event that arrived at the URL would fail.
    [{ labels: { a: "\u0000" } }, "/labels/a", "must not contain control characters"],
    [{ labels: { a: "\ud800" } }, "/labels/a", "lone surrogates"],
    [{ labels: entries(20, "界".repeat(256)) }, "/labels", "must be shorter by"],
    [{ labels: {}, expires_in_seconds: 59 }, "/expires_in_seconds", "must be at least 60"],
    [{ labels: {}, expires_in_seconds: 2_592_001 }, "/expires_in_seconds", "must be at most 2592000"],
    [{ labels: {}, expires_in_seconds: 60.5 }, "/expires_in_seconds", "must be an integer"],
    [{ labels: {}, expires_in_seconds: "60" }, "/expires_in_seconds", "must be a number"],
    [{ labels: {}, single_use: "true" }, "/single_use", "must be"],
    [{ labels: {}, url: "x" }, "/url", "is not a field of this body"],
  ] as const)("%j at %s", async ([body, pointer, detail], { api }) => {
    const answer = await create(api, body);
    expect(answer.status).toBe(400);
    expect(pointersOf(answer)).toEqual([pointer]);
    expect(answer.body.errors[0].detail).toContain(detail);
  });

  test("20 labels of 256 ASCII characters fit into a URL", async ({ api }) => {
    const answer = await create(api, { labels: entries(20, "x".repeat(256)) });
    expect(answer.status).toBe(201);
    expect(answer.body.ingress_path.length).toBeLessThan(8_000);
  });
});
