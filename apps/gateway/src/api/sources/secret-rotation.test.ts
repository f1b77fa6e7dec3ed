// Which secrets verify webhooks after a rotation, and until when.

import { describe, expect } from "vitest";

import { formatId, newId, parseId } from "@sluice/shared/domain/ids";
import { generateSigningSecret } from "@sluice/signature/secret";
import { loadSources } from "@sluice/store/configuration/sources";

import {
  A_SECRET,
  createTestApi,
  ENVIRONMENT_SECRET,
  pointersOf,
  readSecret,
  test,
  type TestApi,
} from "../../../../../tests/support/api/test-api.ts";

const HOUR_MS = 3_600_000;
let count = 0;

/** A static source with one secret. */
async function createSource(api: TestApi) {
  const name = `rotated-${count++}`;
  const { body } = await api.call("POST", "/v1/sources", { body: { name } });
  const rotate = (request: unknown) => api.call("POST", `/v1/sources/${body.id}/signing-secrets`, { body: request });
  return { ...body, name, rotate, firstSecret: body.new_signing_secret as string };
}

async function keysOf(api: TestApi, name: string) {
  const source = (await loadSources(api.db, api.masterKey)).find((each) => each.name === name);
  return (source?.hmacKeys ?? []).map(({ key, expiresAtMs }) => ({
    secret: key.export().toString("base64"),
    expiresAtMs,
  }));
}

const base64Of = (secret: string) => readSecret(secret).key.export().toString("base64");

/** Changes when the expiring secrets of a source expire. */
async function setExpiry(api: TestApi, source: { id: string }, expiresAt: Date) {
  await api.db.pool.query("UPDATE source_secrets SET expires_at = $1 WHERE source_id = $2 AND expires_at IS NOT NULL", [
    expiresAt,
    parseId("src", source.id, "id"),
  ]);
}

describe("a rotation", () => {
  test("with `revoke_after_24h` keeps the earlier secret for 24 hours beside the new one", async ({ api }) => {
    const source = await createSource(api);
    const refreshes = api.refreshes.count;
    const before = Date.now();
    const { status, body } = await source.rotate({ secret: ` ${A_SECRET}\n`, previous: "revoke_after_24h" });
    expect(status).toBe(201);
    expect(api.refreshes.count).toBe(refreshes + 1);
    expect(body.id).toBe(source.id);
    expect(body).not.toHaveProperty("new_signing_secret");
    expect(body).not.toHaveProperty("notice");
    expect(body.signing_secrets).toEqual([
      { truncated_secret: `whsec_...${source.firstSecret.slice(-4)}`, expire_time: expect.any(String) },
      { truncated_secret: "whsec_...LaSw", expire_time: null },
    ]);
    const [old, current] = await keysOf(api, source.name);
    expect(old).toEqual({ secret: base64Of(source.firstSecret), expiresAtMs: expect.any(Number) });
    expect(old?.expiresAtMs).toBeGreaterThan(before + 23 * HOUR_MS);
    expect(old?.expiresAtMs).toBeLessThan(before + 25 * HOUR_MS);
    expect(Date.parse(body.signing_secrets[0].expire_time)).toBe(old?.expiresAtMs);
    expect(current).toEqual({ secret: base64Of(A_SECRET), expiresAtMs: undefined });
  });

  test("with `revoke_immediately` revokes all earlier secrets, even those that were to expire later", async ({
    api,
  }) => {
    const source = await createSource(api);
    await source.rotate({ previous: "revoke_after_24h" });
    const { body } = await source.rotate({ secret: A_SECRET, previous: "revoke_immediately" });
    expect(body.signing_secrets).toEqual([{ truncated_secret: "whsec_...LaSw", expire_time: null }]);
    expect(await keysOf(api, source.name)).toEqual([{ secret: base64Of(A_SECRET), expiresAtMs: undefined }]);
  });

  test("generates a secret if none is given, and shows it once", async ({ api }) => {
    const source = await createSource(api);
    const { body } = await source.rotate({ previous: "revoke_immediately" });
    expect(body.new_signing_secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect(await keysOf(api, source.name)).toMatchObject([{ secret: base64Of(body.new_signing_secret) }]);
    const shown = (await api.call("GET", `/v1/sources/${source.id}`)).body;
    expect(JSON.stringify([shown, api.logLines])).not.toContain(body.new_signing_secret);
  });

  test("does not extend a secret that expires sooner, and deletes expired ones", async ({ api }) => {
    const source = await createSource(api);
    await source.rotate({ previous: "revoke_after_24h" });
    const soon = new Date(Date.now() + HOUR_MS);
    await setExpiry(api, source, soon);
    await source.rotate({ previous: "revoke_after_24h" });
    const [first, second, third] = await keysOf(api, source.name);
    expect(first?.expiresAtMs).toBe(soon.getTime());
    expect(second?.expiresAtMs).toBeGreaterThan(soon.getTime());
    expect(third?.expiresAtMs).toBeUndefined();

    await setExpiry(api, source, new Date(Date.now() - 1000));
    expect((await api.call("GET", `/v1/sources/${source.id}`)).body.signing_secrets).toHaveLength(1);
    await source.rotate({ previous: "revoke_after_24h" });
    expect(await keysOf(api, source.name)).toMatchObject([{ secret: third?.secret }, { expiresAtMs: undefined }]);
  });

  test("accepts an expired secret again, and refuses one that is still valid", async ({ api }) => {
    const source = await createSource(api);
    await source.rotate({ secret: A_SECRET, previous: "revoke_after_24h" });
    // The last one is the same key without its padding.
    for (const secret of [A_SECRET, source.firstSecret, source.firstSecret.replace("=", "")]) {
      for (const previous of ["revoke_after_24h", "revoke_immediately"]) {
        const refused = await source.rotate({ secret, previous });
        expect(refused.status).toBe(400);
        expect(refused.body.errors).toEqual([{ pointer: "/secret", detail: "is one of its secrets already" }]);
      }
    }
    expect(await keysOf(api, source.name)).toHaveLength(2);
    await setExpiry(api, source, new Date(Date.now() - 1000));
    expect((await source.rotate({ secret: source.firstSecret, previous: "revoke_after_24h" })).status).toBe(201);
  });

  test("at the same moment as others leaves one current secret, and at most ten valid ones", async ({ api }) => {
    const source = await createSource(api);
    const answers = await Promise.all(
      Array.from({ length: 12 }, () => source.rotate({ previous: "revoke_after_24h" })),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(9);
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(3);
    const refused = answers.find(({ status }) => status === 409);
    expect(refused?.body).toMatchObject({ code: "limit_reached" });
    const keys = await keysOf(api, source.name);
    expect(keys).toHaveLength(10);
    expect(keys.filter(({ expiresAtMs }) => expiresAtMs === undefined)).toHaveLength(1);
    expect((await source.rotate({ previous: "revoke_immediately" })).status).toBe(201);
    expect(await keysOf(api, source.name)).toHaveLength(1);
  });

  test("with a field that is not valid is refused by name, and changes nothing", async ({ api }) => {
    const source = await createSource(api);
    for (const [body, pointers] of [
      [{}, ["/previous"]],
      [{ previous: "keep" }, ["/previous"]],
      [{ previous: "revoke_after_24h", secret: "whsec_AAAA" }, ["/secret"]],
      [{ previous: "revoke_after_24h", secret: null }, ["/secret"]],
      [{ secret: "", other: 1 }, ["/secret", "/previous", "/other"]],
    ] as const) {
      expect(pointersOf(await source.rotate(body))).toEqual(pointers);
    }
    expect(await keysOf(api, source.name)).toEqual([{ secret: base64Of(source.firstSecret), expiresAtMs: undefined }]);
  });

  test("is refused for a dynamic source and for an unknown one", async ({ api }) => {
    const rotate = (id: string) =>
      api.call("POST", `/v1/sources/${formatId("src", id)}/signing-secrets`, {
        body: { previous: "revoke_after_24h" },
      });
    expect((await rotate(api.dynamicId)).body).toMatchObject({ status: 409, code: "wrong_kind" });
    expect((await rotate(newId())).body).toMatchObject({ status: 404, code: "not_found" });
  });
});

const rotate = (api: TestApi, body: object) =>
  api.call("POST", `/v1/sources/${formatId("src", api.geminiId)}/signing-secrets`, { body });

describe("the secret of the source gemini in GEMINI_SIGNING_SECRET", () => {
  test("stays valid after a rotation, and the answer says so", async ({ api }) => {
    const { body } = await rotate(api, { secret: A_SECRET, previous: "revoke_immediately" });
    expect(body.notice).toContain("GEMINI_SIGNING_SECRET goes on verifying");
    expect(body.signing_secrets).toEqual([
      { truncated_secret: "whsec_...LaSw", expire_time: null },
      { truncated_secret: "whsec_...b7oD", expire_time: null, variable: "GEMINI_SIGNING_SECRET" },
    ]);
    const without = await createTestApi(api.db, { geminiSigningSecret: undefined, masterKey: api.masterKey });
    const secret = generateSigningSecret().text;
    expect((await rotate(without, { secret, previous: "revoke_immediately" })).body).not.toHaveProperty("notice");
  });

  test("is refused as a new secret", async ({ api }) => {
    const { body } = await rotate(api, { secret: ENVIRONMENT_SECRET, previous: "revoke_after_24h" });
    expect(body.errors).toEqual([{ pointer: "/secret", detail: "is GEMINI_SIGNING_SECRET already" }]);
  });
});
