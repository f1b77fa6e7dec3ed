import { randomBytes, randomUUID } from "node:crypto";

import { describe, expect } from "vitest";

import { MasterKey } from "@sluice/shared/settings/master-key";
import { claimKey, markEffect, pruneIdempotencyKeys } from "@sluice/store/requests/idempotency";

import { createTestApi, seedEvent, storeKey, test, type TestApi } from "../../../../../tests/support/api/test-api.ts";
import { dumpDatabase } from "../../../../../tests/support/dump.ts";

/** Without a name: two targets cannot have the same. */
const target = (host: string) => ({ uri: `http://${host}.internal`, subscribed_events: ["*"] });

const create = (api: TestApi, idempotencyKey: string, host: string, key?: string) =>
  api.call("POST", "/v1/targets", {
    body: target(host),
    headers: { "idempotency-key": idempotencyKey },
    ...(key !== undefined && { key }),
  });

async function countTargets(api: TestApi, host: string): Promise<number> {
  return (await api.db.pool.query("SELECT FROM targets WHERE uri = $1", [target(host).uri])).rowCount ?? 0;
}

/** Leaves every stored request in the state in which a gateway that died leaves it: claimed, and without an answer. */
async function loseAnswers(api: TestApi, tookEffect: boolean): Promise<void> {
  await api.db.pool.query(
    "UPDATE idempotency_keys SET answer = NULL, claimed_until = now() - interval '1 s', took_effect = $1",
    [tookEffect],
  );
}

describe("Idempotency-Key", () => {
  test("the same request gets the same answer, and has one effect", async ({ api }) => {
    const idempotencyKey = randomUUID();
    const first = await create(api, idempotencyKey, "once");
    expect(first.status).toBe(201);
    expect(first.headers.get("idempotency-replayed")).toBeNull();
    // The draft writes the key in quotes.
    const second = await create(api, `"${idempotencyKey}"`, "once");
    expect(second.status).toBe(201);
    expect(second.body).toEqual(first.body);
    for (const name of ["content-type", "location", "etag"]) {
      expect(second.headers.get(name)).toBe(first.headers.get(name));
    }
    expect(second.headers.get("idempotency-replayed")).toBe("true");
    expect(second.headers.get("x-request-id")).not.toBe(first.headers.get("x-request-id"));
    expect(await countTargets(api, "once")).toBe(1);
    expect((await api.call("GET", `/v1/audit?resource=${first.body.id}`)).body.data).toHaveLength(1);
  });

  test("one of several simultaneous requests has an effect", async ({ api }) => {
    const idempotencyKey = randomUUID();
    const answers = await Promise.all(Array.from({ length: 6 }, () => create(api, idempotencyKey, "raced")));
    expect(await countTargets(api, "raced")).toBe(1);
    const made = answers.find(({ status }) => status === 201);
    for (const answer of answers) {
      if (answer.status === 201) expect(answer.body).toEqual(made?.body);
      else expect(answer).toMatchObject({ status: 409, body: { code: "idempotency_in_progress" } });
    }
    expect((await create(api, idempotencyKey, "raced")).body).toEqual(made?.body);
  });

  test("the same key with another body or another path is refused", async ({ api }) => {
    const idempotencyKey = randomUUID();
    await create(api, idempotencyKey, "first");
    const otherBody = await create(api, idempotencyKey, "second");
    const headers = { "idempotency-key": idempotencyKey };
    const otherPath = await api.call("POST", "/v1/sources", { headers, body: target("first") });
    for (const answer of [otherBody, otherPath]) {
      expect(answer).toMatchObject({ status: 422, body: { code: "idempotency_key_reused" } });
    }
    expect(await countTargets(api, "second")).toBe(0);
  });

  test("belongs to the API key that it came with", async ({ api }) => {
    const idempotencyKey = randomUUID();
    const key = await storeKey(api, ["write"]);
    const own = await create(api, idempotencyKey, "two-callers");
    const other = await create(api, idempotencyKey, "two-callers", key);
    expect(other.body.id).not.toBe(own.body.id);
    expect(await countTargets(api, "two-callers")).toBe(2);
  });

  test("the answer is kept for a refusal, but not for a failure of the relay", async ({ api }) => {
    const headers = { "idempotency-key": randomUUID() };
    const refuse = () => api.call("POST", "/v1/sources", { headers, body: { name: "Not a name" } });
    const refused = await refuse();
    expect(refused.status).toBe(400);
    expect((await refuse()).body).toEqual(refused.body);

    const source = (await api.call("POST", "/v1/sources", { body: { name: "fails-once" } })).body;
    const rotate = (on: TestApi) =>
      on.call("POST", `/v1/sources/${source.id}/signing-secrets`, {
        headers: { "idempotency-key": "rotation" },
        body: { previous: "revoke_immediately" },
      });
    const broken = await createTestApi(api.db, { masterKey: new MasterKey(randomBytes(32)) });
    expect((await rotate(broken)).status).toBe(500);
    expect((await rotate(api)).status).toBe(201);
  });

  test("works for a POST without a body", async ({ api }) => {
    const { id } = (await create(api, randomUUID(), "retried")).body;
    const { deliveryIds } = await seedEvent(api);
    expect(deliveryIds).toEqual([]);
    const headers = { "idempotency-key": randomUUID() };
    const retry = () => api.call("POST", "/v1/deliveries/dlv_01h455vb4pex5vsknk084sn02q:retry", { headers });
    const missing = await retry();
    expect(missing).toMatchObject({ status: 404, body: { detail: "There is no delivery with this id" } });
    expect((await retry()).headers.get("idempotency-replayed")).toBe("true");
    expect(id).toMatch(/^tgt_/);
  });

  test("an answer that holds a secret is encrypted at rest", async ({ api }) => {
    const idempotencyKey = randomUUID();
    const { new_signing_secret: secret } = (await create(api, idempotencyKey, "secretive")).body;
    const dump = await dumpDatabase(api.db);
    for (const text of [secret, Buffer.from(secret).toString("hex"), idempotencyKey]) expect(dump).not.toContain(text);
    expect((await create(api, idempotencyKey, "secretive")).body.new_signing_secret).toBe(secret);
  });

  test("when the gateway died before it answered, a repetition does the work only if it was not done", async ({
    api,
  }) => {
    const idempotencyKey = randomUUID();
    await create(api, idempotencyKey, "died");
    await loseAnswers(api, true);
    const lost = await create(api, idempotencyKey, "died");
    expect(lost).toMatchObject({ status: 409, body: { code: "idempotency_answer_lost" } });
    expect(await countTargets(api, "died")).toBe(1);
    await loseAnswers(api, false);
    expect((await create(api, idempotencyKey, "died")).status).toBe(201);
    expect(await countTargets(api, "died")).toBe(2);
  });

  test("a request that lost its claim to another one changes nothing", async ({ api }) => {
    const request = { callerId: null, key: randomUUID(), fingerprint: randomBytes(32) };
    const slow = await claimKey(api.db, api.masterKey, request);
    expect((await claimKey(api.db, api.masterKey, request)).kind).toBe("in_progress");
    await loseAnswers(api, false);
    const next = await claimKey(api.db, api.masterKey, request);
    if (slow.kind !== "claimed" || next.kind !== "claimed") throw new Error("Both have to be claimed");
    expect(await markEffect(api.db, slow.claim)).toBe(false);
    expect(await markEffect(api.db, next.claim)).toBe(true);
  });

  test("is forgotten after 24 hours", async ({ api }) => {
    const idempotencyKey = randomUUID();
    const first = await create(api, idempotencyKey, "yesterday");
    const age = (hours: number) =>
      api.db.pool.query("UPDATE idempotency_keys SET created_at = now() - $1::float8 * interval '1 hour'", [hours]);
    await age(23.9);
    expect((await create(api, idempotencyKey, "yesterday")).body).toEqual(first.body);
    await age(24.1);
    expect((await create(api, idempotencyKey, "yesterday")).body.id).not.toBe(first.body.id);
    await age(24.1);
    expect(await pruneIdempotencyKeys(api.db)).toBeGreaterThan(0);
    expect((await api.db.pool.query("SELECT FROM idempotency_keys")).rowCount).toBe(0);
  });

  test("a malformed key is refused, and a GET ignores its key", async ({ api }) => {
    for (const idempotencyKey of ["", '""', "two words", "a".repeat(256), "ü"]) {
      const refused = await create(api, idempotencyKey, "refused");
      expect(refused).toMatchObject({ status: 400, body: { errors: [{ pointer: "Idempotency-Key" }] } });
    }
    const headers = { "idempotency-key": randomUUID() };
    expect((await api.call("GET", "/v1/targets?limit=1", { headers })).status).toBe(200);
    expect((await api.call("GET", "/v1/targets?limit=2", { headers })).status).toBe(200);
  });
});
