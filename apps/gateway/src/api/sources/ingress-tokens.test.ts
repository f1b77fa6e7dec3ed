// Ingress tokens are shown once, are valid as long as their rotation says, and belong to dynamic sources only.

import { describe, expect } from "vitest";

import { formatId, newId } from "@sluice/shared/domain/ids";
import { hashIngressToken } from "@sluice/signature/ingress-token";
import { loadSources } from "@sluice/store/configuration/sources";

import {
  createTestApi,
  pointersOf,
  PUBLIC_URL,
  test,
  type TestApi,
} from "../../../../../tests/support/api/test-api.ts";

const HOUR_MS = 3_600_000;
let count = 0;

/** A dynamic source with one token. */
async function createSource(api: TestApi) {
  const name = `tokens-${count++}`;
  const { body } = await api.call("POST", "/v1/sources", { body: { name, kind: "dynamic" } });
  return { name, path: `/v1/sources/${body.id}/ingress-tokens`, firstToken: body.new_ingress_token as string, ...body };
}

async function tokensOf(api: TestApi, name: string) {
  const source = (await loadSources(api.db, api.masterKey)).find((each) => each.name === name);
  return source?.ingressTokens ?? [];
}

async function setExpiry(api: TestApi, token: string, expiresAt: Date) {
  const values = [expiresAt, hashIngressToken(token)];
  await api.db.pool.query("UPDATE ingress_tokens SET expires_at = $1 WHERE hash = $2", values);
}

async function isStored(api: TestApi, token: string): Promise<boolean> {
  const { rowCount } = await api.db.pool.query("SELECT FROM ingress_tokens WHERE hash = $1", [hashIngressToken(token)]);
  return rowCount === 1;
}

describe("creating a token", () => {
  test("the answer alone shows the token and its address, and the earlier token stays valid", async ({ api }) => {
    const source = await createSource(api);
    const refreshes = api.refreshes.count;
    const { status, body } = await api.call("POST", source.path);
    expect(status).toBe(201);
    expect(api.refreshes.count).toBe(refreshes + 1);
    expect(body).toEqual({
      id: expect.stringMatching(/^itk_/),
      token: expect.stringMatching(/^it_[A-Za-z0-9_-]{43}$/),
      truncated_token: `it_...${body.token.slice(-4)}`,
      ingress_path: `/in/${source.name}/${body.token}`,
      url: `${PUBLIC_URL}/in/${source.name}/${body.token}`,
      expire_time: null,
    });
    const shown = (await api.call("GET", `/v1/sources/${source.id}`)).body;
    const { id, truncated_token } = body;
    expect(shown.ingress_tokens).toEqual([...source.ingress_tokens, { id, truncated_token, expire_time: null }]);
    expect(await tokensOf(api, source.name)).toEqual(
      [source.firstToken, body.token].map((text) => ({ hash: hashIngressToken(text), expiresAtMs: undefined })),
    );
    expect(JSON.stringify([shown, api.logLines])).not.toContain(body.token);
  });

  test("without PUBLIC_URL, the answer has a path and no URL", async ({ api }) => {
    const source = await createSource(api);
    const without = await createTestApi(api.db, { publicUrl: undefined });
    const { body } = await without.call("POST", source.path, { body: {} });
    expect(body).toMatchObject({ ingress_path: `/in/${source.name}/${body.token}`, url: null });
  });

  test("earlier tokens can be revoked after 24 hours, and one that expires sooner still does", async ({ api }) => {
    const source = await createSource(api);
    await api.call("POST", source.path, { body: { previous: "revoke_after_24h" } });
    const soon = new Date(Date.now() + HOUR_MS);
    await setExpiry(api, source.firstToken, soon);
    const before = Date.now();
    await api.call("POST", source.path, { body: { previous: "revoke_after_24h" } });
    const [first, second, third] = await tokensOf(api, source.name);
    expect(first?.expiresAtMs).toBe(soon.getTime());
    expect(second?.expiresAtMs).toBeGreaterThan(before + 23 * HOUR_MS);
    expect(second?.expiresAtMs).toBeLessThan(before + 25 * HOUR_MS);
    expect(third?.expiresAtMs).toBeUndefined();
  });

  test("earlier tokens can be revoked at once", async ({ api }) => {
    const source = await createSource(api);
    await api.call("POST", source.path);
    const { body } = await api.call("POST", source.path, { body: { previous: "revoke_immediately" } });
    expect(await tokensOf(api, source.name)).toEqual([{ hash: hashIngressToken(body.token), expiresAtMs: undefined }]);
  });

  test("at most ten are valid, even if more are requested at the same moment; an expired one makes room", async ({
    api,
  }) => {
    const source = await createSource(api);
    const answers = await Promise.all(Array.from({ length: 12 }, () => api.call("POST", source.path)));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(9);
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(3);
    const refused = answers.find(({ status }) => status === 409);
    expect(refused?.body).toMatchObject({ code: "limit_reached", detail: expect.stringContaining("10") });
    expect(await tokensOf(api, source.name)).toHaveLength(10);

    await setExpiry(api, source.firstToken, new Date(Date.now() - 1000));
    expect((await api.call("GET", `/v1/sources/${source.id}`)).body.ingress_tokens).toHaveLength(9);
    expect((await api.call("POST", source.path)).status).toBe(201);
    expect(await isStored(api, source.firstToken)).toBe(false);
  });

  test("a field that is not valid is refused by name", async ({ api }) => {
    const source = await createSource(api);
    for (const [body, pointer] of [
      [{ previous: "revoke" }, "/previous"],
      [{ previous: null }, "/previous"],
      [{ token: "it_mine" }, "/token"],
      [[], ""],
    ] as const) {
      expect(pointersOf(await api.call("POST", source.path, { body }))).toEqual([pointer]);
    }
    const headers = { "content-type": "text/plain" };
    const ignored = await api.call("POST", source.path, { body: '{"previous":"revoke_immediately"}', headers });
    expect(ignored.status).toBe(415);
    expect(await tokensOf(api, source.name)).toHaveLength(1);
  });
});

describe("deleting a token", () => {
  test("revokes it at once", async ({ api }) => {
    const source = await createSource(api);
    const { body } = await api.call("POST", source.path);
    const refreshes = api.refreshes.count;
    const path = `${source.path}/${source.ingress_tokens[0].id}`;
    expect((await api.call("DELETE", path)).status).toBe(204);
    expect(api.refreshes.count).toBe(refreshes + 1);
    expect(await tokensOf(api, source.name)).toMatchObject([{ hash: hashIngressToken(body.token) }]);
    expect((await api.call("DELETE", path)).body).toMatchObject({ status: 404, code: "not_found" });
  });

  test("another source's token and a malformed id are refused", async ({ api }) => {
    const [source, other] = [await createSource(api), await createSource(api)];
    const foreign = await api.call("DELETE", `${other.path}/${source.ingress_tokens[0].id}`);
    expect(foreign.status).toBe(404);
    expect(await tokensOf(api, source.name)).toHaveLength(1);
    const malformed = await api.call("DELETE", `${source.path}/${source.id}`);
    expect(malformed.body).toMatchObject({ code: "invalid_id", errors: [{ pointer: "{token_id}" }] });
  });
});

test("a static source and an unknown source have no tokens", async ({ api }) => {
  const [gemini, nobody] = [api.geminiId, newId()].map((id) => `/v1/sources/${formatId("src", id)}/ingress-tokens`);
  const token = `/${formatId("itk", newId())}`;
  expect((await api.call("POST", gemini ?? "")).body).toMatchObject({ status: 409, code: "wrong_kind" });
  expect((await api.call("DELETE", gemini + token)).body).toMatchObject({ status: 409, code: "wrong_kind" });
  expect((await api.call("POST", nobody ?? "")).body).toMatchObject({ status: 404, code: "not_found" });
  expect((await api.call("DELETE", nobody + token)).body).toMatchObject({ status: 404, code: "not_found" });
});

test("a token is deleted with its source", async ({ api }) => {
  const source = await createSource(api);
  expect(await isStored(api, source.firstToken)).toBe(true);
  expect((await api.call("DELETE", `/v1/sources/${source.id}`)).status).toBe(204);
  expect(await isStored(api, source.firstToken)).toBe(false);
});
