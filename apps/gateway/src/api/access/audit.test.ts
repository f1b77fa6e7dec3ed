// The audit trail: every change has an entry, the entries are filtered, and no secret gets into them.

import { describe, expect } from "vitest";

import { formatId, parseId } from "@sluice/shared/domain/ids";

import {
  A_SECRET,
  type CallOptions,
  createTestApi,
  recordAttempt,
  seedEvent,
  storeKey,
  test,
  type TestApi,
} from "../../../../../tests/support/api/test-api.ts";
import { createTestDatabase } from "../../../../../tests/support/database.ts";
import { dumpDatabase } from "../../../../../tests/support/dump.ts";

// oxlint-disable-next-line typescript/no-explicit-any -- an answer is what a test asserts about it.
type Entry = any;

const readAudit = async (api: TestApi, query = ""): Promise<Entry[]> =>
  (await api.call("GET", `/v1/audit${query}`)).body.data;

const target = { name: "billing", uri: "http://billing.internal", subscribed_events: ["*"] };
const GEMINI_KEY = "AIzaSyAuditedAuditedAuditedAuditedAudit1";
const HEADER_VALUE = "Bearer of-the-billing-service";

describe("/v1/audit", () => {
  test("shows every change with its actor, its request, and the resource before and after it", async ({ api }) => {
    const key = await storeKey(api, ["write"]);
    const as: CallOptions = { key, remoteAddress: "::ffff:192.0.2.9", headers: { "x-request-id": "deploy-17" } };
    const { id } = (await api.call("POST", "/v1/targets", { ...as, body: target })).body;
    await api.call("PATCH", `/v1/targets/${id}`, { ...as, body: { state: "paused" } });
    await api.call("DELETE", `/v1/targets/${id}`);
    const [deleted, updated, created] = await readAudit(api, `?resource=${id}`);
    expect(created).toMatchObject({
      action: "target.created",
      actor: { key: expect.stringMatching(/^key_/), name: expect.stringMatching(/^of write /) },
      resource: { type: "target", id },
      request_id: "deploy-17",
      remote_address: "192.0.2.9",
      before: null,
      after: { id, state: "enabled" },
    });
    expect(updated).toMatchObject({
      action: "target.updated",
      before: { state: "enabled" },
      after: { state: "paused" },
    });
    expect(deleted).toMatchObject({
      action: "target.deleted",
      actor: { key: null, name: "ADMIN_API_KEY" },
      before: { id, state: "paused" },
      after: null,
    });
    expect((await api.call("GET", `/v1/audit/${created.id}`)).body).toEqual(created);
  });

  test("filters by actor, action, resource and time, and is read page by page", async ({ onTestFinished }) => {
    const database = await createTestDatabase();
    onTestFinished(database.drop);
    const api = await createTestApi(database.db);
    const key = await storeKey(api, ["admin"]);
    await api.call("POST", "/v1/targets", { body: target });
    await api.call("POST", "/v1/sources", { body: { name: "other" }, key });
    const made = (await api.call("POST", "/v1/keys", { body: { name: "n", scopes: ["read"] }, key })).body;
    const actions = async (query: string) => (await readAudit(api, query)).map(({ action }: Entry) => action);
    const all = ["key.created", "source.created", "target.created"];
    expect(await actions("")).toEqual(all);
    expect(await actions("?actor=environment")).toEqual(["target.created"]);
    const [{ actor, created_at: at }] = await readAudit(api);
    expect(await actions(`?actor=${actor.key}`)).toEqual(["key.created", "source.created"]);
    expect(await actions("?action=target.created")).toEqual(["target.created"]);
    expect(await actions("?action=source.*")).toEqual(["source.created"]);
    // In SQL's LIKE an underscore stands for any character; in this filter it stands for itself.
    expect(await actions("?action=_ource.*")).toEqual([]);
    expect(await actions(`?resource=${made.id}`)).toEqual(["key.created"]);
    expect(await actions(`?since=${new Date(Date.parse(at) + 60_000).toISOString()}`)).toEqual([]);
    expect(await actions(`?until=${new Date(Date.now() + 60_000).toISOString()}`)).toEqual(all);
    const first = (await api.call("GET", "/v1/audit?limit=2")).body;
    expect(await actions(`?limit=2&cursor=${first.next_cursor}`)).toEqual(["target.created"]);
    for (const [query, pointer] of [
      ["?actor=somebody", "?actor"],
      ["?action=deleted", "?action"],
      ["?resource=1", "?resource"],
    ]) {
      const refused = await api.call("GET", `/v1/audit${query}`);
      expect(refused.status).toBe(400);
      expect(refused.body.errors[0].pointer).toBe(pointer);
    }
    expect((await api.call("GET", "/v1/audit/aud_01h455vb4pex5vsknk084sn02q")).status).toBe(404);
  });

  test("writes no entry for a change that fails, and makes no change whose entry cannot be written", async ({
    onTestFinished,
  }) => {
    const database = await createTestDatabase();
    onTestFinished(database.drop);
    const api = await createTestApi(database.db);
    await api.call("POST", "/v1/sources", { body: { name: "once" } });
    expect((await api.call("POST", "/v1/sources", { body: { name: "once" } })).body.code).toBe("name_taken");
    expect(await readAudit(api)).toHaveLength(1);
    await api.db.pool.query("ALTER TABLE audit RENAME TO elsewhere");
    expect((await api.call("POST", "/v1/targets", { body: target })).status).toBe(500);
    expect((await api.call("GET", "/v1/targets")).body.data).toEqual([]);
  });

  test("has an entry for every endpoint that changes something, and stores and logs no secret in the clear", async ({
    onTestFinished,
  }) => {
    const database = await createTestDatabase();
    onTestFinished(database.drop);
    const api = await createTestApi(database.db);
    const call = async (method: string, path: string, body?: object) => {
      const headers = { "idempotency-key": `${method} ${path}`.replaceAll(" ", "-") };
      const answer = await api.call(method, path, { body, headers });
      expect(answer.status, `${method} ${path}`).toBeLessThan(300);
      return answer.body;
    };
    const made = await call("POST", "/v1/targets", { ...target, headers: { authorization: HEADER_VALUE } });
    await call("PATCH", `/v1/targets/${made.id}`, { headers: { authorization: `${HEADER_VALUE} again` } });
    const { deliveryIds } = await seedEvent(api, [parseId("tgt", made.id, "id")]);
    await recordAttempt(api, deliveryIds[0] ?? "", { status: "exhausted" });
    const [delivery] = (await api.call("GET", "/v1/deliveries")).body.data;
    await call("POST", `/v1/deliveries/${delivery.id}:retry`);
    await call("POST", `/v1/deliveries/${delivery.id}:cancel`);
    const retry = await call("POST", "/v1/deliveries:retry", { all: true });
    await call("POST", `/v1/operations/${retry.id}:cancel`);
    await call("POST", "/v1/deliveries:cancel", { target: made.id });
    await call("POST", `/v1/events/${delivery.event}:replay`);
    await call("POST", "/v1/events:replay", { targets: [made.id], all: true });
    await call("POST", "/v1/events", { type: "batch.succeeded", data: {} });
    await call("DELETE", `/v1/targets/${made.id}`);
    const put = { uri: target.uri, subscribed_events: ["*"], headers: { authorization: HEADER_VALUE } };
    const putTarget = await call("PUT", "/v1/targets/by-name/put", put);
    await call("DELETE", "/v1/targets/by-name/put");
    const putSource = await call("PUT", "/v1/sources/by-name/put", { gemini_api_key: GEMINI_KEY });
    await call("DELETE", "/v1/sources/by-name/put");
    const source = await call("POST", "/v1/sources", { name: "plain" });
    const rotated = await call("POST", `/v1/sources/${source.id}/signing-secrets`, { previous: "revoke_after_24h" });
    await call("PATCH", `/v1/sources/${source.id}`, { signing_secret: A_SECRET });
    await call("DELETE", `/v1/sources/${source.id}`);
    const dynamicId = formatId("src", api.dynamicId);
    const token = await call("POST", `/v1/sources/${dynamicId}/ingress-tokens`, {});
    await call("DELETE", `/v1/sources/${dynamicId}/ingress-tokens/${token.id}`);
    await call("PATCH", `/v1/sources/${dynamicId}`, { gemini_api_key: GEMINI_KEY });
    const announced = { labels: {}, job: { kind: "batch" } };
    const callback = await call("POST", `/v1/sources/${dynamicId}/callback-urls`, announced);
    await call("PATCH", `/v1/jobs/${callback.job}`, { name: "abc" });
    await call("POST", "/v1/jobs", { kind: "batch", name: "def", source: "gemini-dynamic" });
    const key = await call("POST", "/v1/keys", { name: "n", scopes: ["read"] });
    await call("POST", `/v1/keys/${key.id}:revoke`);
    expect((await readAudit(api)).map(({ action }: Entry) => action).toReversed()).toEqual([
      "target.created",
      "target.updated",
      "delivery.retried",
      "delivery.cancelled",
      "operation.started",
      "operation.cancelled",
      "operation.started",
      "event.replayed",
      "operation.started",
      "event.injected",
      "target.deleted",
      "target.created",
      "target.deleted",
      "source.created",
      "source.deleted",
      "source.created",
      "source.secret_rotated",
      "source.updated",
      "source.deleted",
      "ingress_token.created",
      "ingress_token.revoked",
      "source.updated",
      "job.created",
      "job.updated",
      "job.created",
      "key.created",
      "key.revoked",
    ]);
    const everything = (await dumpDatabase(api.db)) + JSON.stringify(api.logLines);
    for (const secret of [
      made.new_signing_secret,
      putTarget.new_signing_secret,
      putSource.new_signing_secret,
      HEADER_VALUE,
      source.new_signing_secret,
      rotated.new_signing_secret,
      A_SECRET,
      token.token,
      GEMINI_KEY,
      key.key,
    ]) {
      expect(secret).toMatch(/.{20}/);
      expect(everything).not.toContain(secret);
      expect(everything).not.toContain(Buffer.from(secret).toString("hex"));
    }
  });
});
