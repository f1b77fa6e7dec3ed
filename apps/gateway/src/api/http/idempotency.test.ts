import { randomBytes, randomUUID } from "node:crypto";

import { describe, expect, onTestFinished } from "vitest";

import { parseId } from "@sluice/shared/domain/ids";
import { MasterKey } from "@sluice/shared/settings/master-key";
import { claimKey, markEffect, pruneIdempotencyKeys } from "@sluice/store/requests/idempotency";

import {
  createTestApi,
  recordAttempt,
  seedEvent,
  storeKey,
  test,
  type TestApi,
} from "../../../../../tests/support/api/test-api.ts";
import { dumpDatabase } from "../../../../../tests/support/dump.ts";
import { until } from "../../../../../tests/support/wait.ts";

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

  test("a refusal that changed nothing gives its key back to the corrected request", async ({ api }) => {
    const headers = { "idempotency-key": randomUUID() };
    const post = (name: string) => api.call("POST", "/v1/sources", { headers, body: { name } });
    expect(await post("Not a name")).toMatchObject({ status: 400, body: { code: "invalid_request" } });
    expect(await post("gemini")).toMatchObject({ status: 409, body: { code: "name_taken" } });
    const created = await post("corrected");
    expect(created.status).toBe(201);
    expect((await post("corrected")).body).toEqual(created.body);
    expect(await post("other")).toMatchObject({ status: 422, body: { code: "idempotency_key_reused" } });
  });

  test("a refusal by If-Match is no answer either: the request is tried again with the tag of now", async ({ api }) => {
    const created = await create(api, randomUUID(), "conditional");
    const pause = (condition: string, idempotencyKey: string) =>
      api.call("POST", `/v1/targets/${created.body.id}:pause`, {
        headers: { "if-match": condition, "idempotency-key": idempotencyKey },
      });
    const idempotencyKey = randomUUID();
    expect((await pause('"stale"', idempotencyKey)).status).toBe(412);
    expect((await pause(created.headers.get("etag") ?? "", idempotencyKey)).status).toBe(200);
    // The result is an answer, whatever the tag of its repetition.
    const repeated = await pause('"stale"', idempotencyKey);
    expect(repeated.status).toBe(200);
    expect(repeated.headers.get("idempotency-replayed")).toBe("true");
  });

  test("a refusal after an effect is kept, so that the effect comes once", async ({ api }) => {
    const { id } = (await create(api, randomUUID(), "pinged")).body;
    const headers = { "idempotency-key": randomUUID() };
    const attempted = await createTestApi(api.db, {
      masterKey: api.masterKey,
      testTarget: (_, deliveryId) => recordAttempt(api, deliveryId, { status: "exhausted" }),
    });
    const ping = () => attempted.call("POST", `/v1beta/webhooks/${id}:ping`, { headers });
    const first = await ping();
    expect(first).toMatchObject({ status: 400, body: { error: { status: "FAILED_PRECONDITION" } } });
    expect((await ping()).body).toEqual(first.body);
    expect((await api.call("GET", `/v1/audit?resource=${id}&action=target.tested`)).body.data).toHaveLength(1);
  });

  test("JSON with its members in another order is the same request, and other numbers are not", async ({ api }) => {
    const idempotencyKey = randomUUID();
    const post = (body: string) =>
      api.call("POST", "/v1/events", { headers: { "idempotency-key": idempotencyKey }, body });
    const first = await post('{"type":"a.b","data":{"id":"1","n":9007199254740993,"list":[{"x":1,"y":2}]}}');
    expect(first.status).toBe(201);
    const reordered = await post(
      '{ "data": {"list":[{"y":2,"x":1}], "n":9007199254740993,\n"id":"1"}, "type": "a.b" }',
    );
    expect(reordered.headers.get("idempotency-replayed")).toBe("true");
    expect(reordered.body).toEqual(first.body);
    for (const other of [
      '{"type":"a.b","data":{"id":"1","n":9007199254740992,"list":[{"x":1,"y":2}]}}',
      '{"type":"a.b","data":{"id":"1","n":9007199254740993,"list":[{"x":2,"y":1}]}}',
      '{"type":"a.b","data":{"id":"1","n":9007199254740993,"list":[{"x":1,"y":2},{}]}}',
    ]) {
      expect((await post(other)).body.code).toBe("idempotency_key_reused");
    }
  });

  test("a request that the version before took is recognized, and one that it took over is not mistaken", async ({
    api,
  }) => {
    const idempotencyKey = randomUUID();
    const first = await create(api, idempotencyKey, "upgraded");
    // The version before does not write this column.
    await api.db.pool.query("UPDATE idempotency_keys SET meaning = NULL");
    expect((await create(api, idempotencyKey, "upgraded")).body).toEqual(first.body);
    const other = randomUUID();
    await create(api, other, "before");
    // A day later, the version before writes another request with the key into the same row.
    await api.db.pool.query("UPDATE idempotency_keys SET fingerprint = sha256('other request')");
    expect((await create(api, other, "before")).body.code).toBe("idempotency_key_reused");
  });

  test("while a request works, a repetition gets a 409 at once, and its answer when it asks again", async ({ api }) => {
    const { id } = (await create(api, randomUUID(), "held")).body;
    const headers = { "idempotency-key": randomUUID() };
    const pause = (body?: object) => api.call("POST", `/v1/targets/${id}:pause`, { headers, body });
    const other = await api.db.pool.connect();
    onTestFinished(() => other.release());
    await other.query("BEGIN");
    await other.query("SELECT FROM targets WHERE id = $1 FOR UPDATE", [parseId("tgt", id, "id")]);
    const first = pause();
    const waiting = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    await until(async () => (await other.query(waiting)).rowCount === 1);
    const second = await pause();
    expect(second).toMatchObject({ status: 409, body: { code: "idempotency_in_progress" } });
    expect(second.headers.get("retry-after")).toBe("1");
    expect(await pause({ other: true })).toMatchObject({ status: 422, body: { code: "idempotency_key_reused" } });
    await other.query("COMMIT");
    expect((await first).status).toBe(200);
    expect((await pause()).body).toEqual((await first).body);
  });

  test("the answer is not kept for a failure of the relay", async ({ api }) => {
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
    expect(await retry()).toMatchObject({ status: 404, body: { detail: "There is no delivery with this id" } });
    const pause = (body?: unknown) => api.call("POST", `/v1/targets/${id}:pause`, { headers, body });
    expect((await pause()).status).toBe(200);
    for (const body of [undefined, {}, "null"]) {
      expect((await pause(body)).headers.get("idempotency-replayed")).toBe("true");
    }
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
    const fingerprints = { fingerprint: randomBytes(32), meaning: randomBytes(32) };
    const request = { callerId: null, key: randomUUID(), ...fingerprints };
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
