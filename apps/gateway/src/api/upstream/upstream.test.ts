// The API of a webhook at Gemini, against the simulator: what is missing is named, and the key of the Gemini API is nowhere
// in clear.

import { describe, expect } from "vitest";

import { DEFAULT_PROJECT } from "@sluice/gemini-simulator/state/simulated-jobs";
import { formatId, newId } from "@sluice/shared/domain/ids";
import { Secret } from "@sluice/shared/settings/secret";

import { createTestApi, pointersOf, storeKey, test } from "../../../../../tests/support/api/test-api.ts";
import { makeUpstreamSource, openUpstreamApi, UPSTREAM_KEY } from "../../../../../tests/support/api/upstream-api.ts";
import { dumpDatabase } from "../../../../../tests/support/dump.ts";

const stepsOf = (body: { steps: { step: string }[] }) => body.steps.map(({ step }) => step);
const codesOf = (list: { code: string }[]) => list.map(({ code }) => code);

describe("a registration", () => {
  test("makes the webhook, stores its secret, and says that no event arrived", async ({ api: base }) => {
    const api = await openUpstreamApi(base);
    const { path, uri, id, name } = await makeUpstreamSource(api);
    const answer = await api.call("POST", `${path}:register`);
    expect(answer.status).toBe(200);
    expect(stepsOf(answer.body)).toEqual(["created", "secret_stored", "pinged", "checked"]);
    expect(codesOf(answer.body.warnings)).toEqual(["ping_not_seen"]);
    const [webhook] = api.simulator.webhooks.list();
    expect(webhook).toMatchObject({ uri, name: `sluice-${name}`, state: "enabled" });
    expect(webhook?.subscribedEvents).toHaveLength(7);
    const truncated = `whsec_...${webhook?.secrets[0]?.text.slice(-4)}`;
    expect(answer.body.upstream).toMatchObject({
      source: id,
      webhook_id: webhook?.id,
      uri,
      state: "enabled",
      signing_secrets: [{ truncated_secret: truncated, expire_time: null }],
      drift: [],
      problem: null,
      under_way: null,
      rotate_every_days: null,
      heal: "off",
      requests: { per_hour: 1_000 },
    });
    expect((await api.call("GET", path)).body).toEqual(answer.body.upstream);
    const source = (await api.call("GET", `/v1/sources/${id}`)).body;
    expect(source.upstream).toEqual({ state: "enabled", drift: [] });
    expect(source.signing_secrets.map((secret: { truncated_secret: string }) => secret.truncated_secret)).toContain(
      truncated,
    );
    expect(source.signing_secrets).toHaveLength(2);
    expect(api.refreshes.count).toBeGreaterThan(0);
  });

  test("is made once: the next one finds the webhook and changes nothing", async ({ api: base }) => {
    const api = await openUpstreamApi(base);
    const { path } = await makeUpstreamSource(api);
    await api.call("POST", `${path}:register`, { body: { subscribed_events: ["batch.succeeded"] } });
    const again = await api.call("POST", `${path}:register`, { body: {} });
    expect(stepsOf(again.body)).toEqual(["found", "pinged", "checked"]);
    expect(again.body.upstream.subscribed_events).toEqual(["batch.succeeded"]);
    const more = await api.call("POST", `${path}:register`, {
      body: { subscribed_events: ["batch.succeeded", "batch.failed"] },
    });
    expect(stepsOf(more.body)).toEqual(["found", "updated", "pinged", "checked"]);
    const [webhook, ...others] = api.simulator.webhooks.list();
    expect(others).toEqual([]);
    expect(webhook).toMatchObject({ subscribedEvents: ["batch.succeeded", "batch.failed"] });
    expect(webhook?.secrets).toHaveLength(1);
  });

  test("takes over a webhook of somebody else: gets a secret and enables it, and keeps its events", async ({
    api: base,
  }) => {
    const api = await openUpstreamApi(base);
    const { path, uri } = await makeUpstreamSource(api);
    const webhook = api.simulator.webhooks.create(DEFAULT_PROJECT, {
      name: "x",
      uri,
      subscribedEvents: ["video.generated"],
    });
    api.simulator.webhooks.setState(webhook, "disabled");
    const { body } = await api.call("POST", `${path}:register`);
    expect(stepsOf(body)).toEqual(["found", "rotated", "secret_stored", "updated", "pinged", "checked"]);
    expect(body.upstream).toMatchObject({ webhook_id: webhook.id, subscribed_events: ["video.generated"], drift: [] });
    expect(webhook.state).toBe("enabled");
    expect(webhook.secrets).toHaveLength(2);
  });

  test("names other webhooks with the same address", async ({ api: base }) => {
    const api = await openUpstreamApi(base);
    const { path, uri } = await makeUpstreamSource(api);
    for (const name of ["one", "two"])
      api.simulator.webhooks.create(DEFAULT_PROJECT, { name, uri, subscribedEvents: ["video.generated"] });
    const { body } = await api.call("POST", `${path}:register`);
    expect(codesOf(body.warnings)).toEqual(["several_webhooks", "ping_not_seen"]);
  });

  test("needs a static source, an API key, PUBLIC_URL and room for a secret", async ({ api: base }) => {
    const api = await openUpstreamApi(base);
    const dynamic = await api.call("POST", `/v1/sources/${formatId("src", api.dynamicId)}/upstream:register`);
    expect(dynamic.body).toMatchObject({ status: 409, code: "wrong_kind" });
    const bare = await makeUpstreamSource(api, {});
    const keyless = await api.call("POST", `${bare.path}:register`);
    expect(keyless.body).toMatchObject({ status: 409, code: "upstream_not_configured" });
    expect(pointersOf(keyless)).toEqual(["gemini_api_key"]);
    const { path, id } = await makeUpstreamSource(api);
    const hidden = await createTestApi(api.db, { ...api, publicUrl: undefined });
    const unreachable = await hidden.call("POST", `${path}:register`);
    expect(unreachable.body).toMatchObject({ code: "upstream_not_configured" });
    expect(pointersOf(unreachable)).toEqual(["PUBLIC_URL"]);
    for (let count = 1; count < 10; count++)
      await api.call("POST", `/v1/sources/${id}/signing-secrets`, { body: { previous: "revoke_after_24h" } });
    expect((await api.call("POST", `${path}:register`)).body).toMatchObject({ code: "limit_reached" });
    const unknown = `/v1/sources/${formatId("src", newId())}/upstream:register`;
    for (const [method, address] of [
      ["POST", unknown],
      ["POST", `${bare.path}:check`],
      ["GET", bare.path],
    ] as const) {
      expect((await api.call(method, address)).body).toMatchObject({ code: "not_found" });
    }
    expect(api.simulator.requests.list()).toEqual([]);
  });

  test.for<[unknown, string]>([
    [{ subscribed_events: [] }, "/subscribed_events"],
    [{ subscribed_events: ["batch.cancelled"] }, "/subscribed_events/0"],
    [{ subscribed_events: ["batch.failed", "batch.failed"] }, "/subscribed_events/1"],
    [{ uri: "https://elsewhere.example" }, "/uri"],
  ])("refuses %j by name", async ([body, pointer], { api }) => {
    const { path } = await makeUpstreamSource(api);
    const answer = await api.call("POST", `${path}:register`, { body });
    expect(answer.status).toBe(400);
    expect(pointersOf(answer)).toEqual([pointer]);
  });

  test("uses GEMINI_API_KEY for the source gemini alone", async ({ api: base }) => {
    const api = await openUpstreamApi(base, { geminiApiKey: new Secret(UPSTREAM_KEY) });
    const path = `/v1/sources/${formatId("src", api.geminiId)}/upstream`;
    expect((await api.call("POST", `${path}:register`)).status).toBe(200);
    expect(Object.keys(api.simulator.requests.counts())).toEqual([UPSTREAM_KEY]);
    const other = await makeUpstreamSource(api, {});
    expect((await api.call("POST", `${other.path}:register`)).body.code).toBe("upstream_not_configured");
    expect((await api.call("POST", `${path}:deregister`)).status).toBe(204);
  });
});

test("a key that Gemini does not know is named as the reason", async ({ api: base }) => {
  const api = await openUpstreamApi(base, {}, { apiKeys: { other: "project" } });
  const { path } = await makeUpstreamSource(api);
  const answer = await api.call("POST", `${path}:register`);
  expect(answer.body).toMatchObject({
    code: "gemini_refused",
    detail: expect.stringContaining("set a valid gemini_api_key"),
  });
  expect((await api.call("GET", path)).body).toMatchObject({
    webhook_id: null,
    state: null,
    drift: [],
    problem: { code: "unauthorized" },
  });
  expect((await api.call("POST", `${path}:rotate`)).body.code).toBe("not_found");
  expect((await api.call("POST", `${path}:deregister`)).status).toBe(204);
});

test("a change of the webhook of which the answer was lost is found and ended", async ({ api: base }) => {
  const api = await openUpstreamApi(base);
  const { path } = await makeUpstreamSource(api);
  api.simulator.faults.calls.add({ failure: { kind: "cut" }, effect: "applied", route: "webhooks.create" });
  const lost = await api.call("POST", `${path}:register`);
  expect(lost.body.code).toBe("gemini_failed");
  const { body } = await api.call("POST", `${path}:register`);
  expect(stepsOf(body)).toEqual(["found", "rotated", "secret_stored", "pinged", "checked"]);
  const [webhook, ...others] = api.simulator.webhooks.list();
  expect(others).toEqual([]);
  // The one that was lost, and the one that the source has.
  expect(webhook?.secrets).toHaveLength(2);
});

test("two requests at once do not work on one webhook", async ({ api: base }) => {
  const api = await openUpstreamApi(base);
  const { path, id } = await makeUpstreamSource(api);
  await api.call("POST", `${path}:register`);
  api.simulator.faults.calls.add({ failure: { kind: "hang" }, route: "webhooks.rotateSigningSecret" });
  const first = api.call("POST", `${path}:rotate`);
  await expect.poll(() => api.simulator.requests.count({ route: "webhooks.rotateSigningSecret" })).toBe(1);
  for (const verb of ["rotate", "check", "heal", "register", "deregister"]) {
    const busy = await api.call("POST", `${path}:${verb}`);
    expect(busy.body).toMatchObject({ status: 409, code: "upstream_busy" });
    expect(busy.headers.get("retry-after")).toBe("15");
  }
  expect((await api.call("GET", path)).body.under_way).toMatchObject({ action: "rotate", step: "rotate" });
  api.simulator.faults.calls.clear();
  expect((await first).body.code).toBe("gemini_failed");
  // A worker or :check ends the rotation first.
  expect((await api.call("POST", `${path}:heal`)).body.code).toBe("upstream_busy");
  const checked = await api.call("POST", `${path}:check`);
  expect(stepsOf(checked.body)).toEqual(["rotated", "secret_stored", "checked"]);
  expect((await api.call("GET", `/v1/sources/${id}`)).body.signing_secrets).toHaveLength(3);
});

test("rotate_every_days and heal are changed, on the condition of If-Match", async ({ api: base }) => {
  const api = await openUpstreamApi(base);
  const { path } = await makeUpstreamSource(api);
  await api.call("POST", `${path}:register`);
  const before = await api.call("GET", path);
  const etag = before.headers.get("etag") ?? "";
  // What is observed does not make the tag outdated.
  await api.call("POST", `${path}:check`);
  const changed = await api.call("PATCH", path, {
    body: { rotate_every_days: 30, heal: "auto" },
    headers: { "if-match": etag },
  });
  expect(changed.body).toMatchObject({ rotate_every_days: 30, heal: "auto" });
  expect(Date.parse(changed.body.next_rotation_at) - Date.now()).toBeGreaterThan(29 * 86_400_000);
  const outdated = await api.call("PATCH", path, { body: { heal: "off" }, headers: { "if-match": etag } });
  expect(outdated.status).toBe(412);
  const off = await api.call("PATCH", path, { body: { rotate_every_days: null } });
  expect(off.body).toMatchObject({ rotate_every_days: null, next_rotation_at: null, heal: "auto" });
  for (const [body, pointer] of [
    [{ rotate_every_days: 0 }, "/rotate_every_days"],
    [{ heal: "yes" }, "/heal"],
    [{ uri: "x" }, "/uri"],
  ] as const) {
    expect(pointersOf(await api.call("PATCH", path, { body }))).toEqual([pointer]);
  }
});

test("reading needs the scope read, and everything else the scope write", async ({ api: base }) => {
  const api = await openUpstreamApi(base);
  const { path } = await makeUpstreamSource(api);
  await api.call("POST", `${path}:register`);
  const key = await storeKey(api, ["read"]);
  expect((await api.call("GET", path, { key })).status).toBe(200);
  for (const verb of ["register", "check", "rotate", "heal", "deregister"])
    expect((await api.call("POST", `${path}:${verb}`, { key })).status).toBe(403);
  expect((await api.call("PATCH", path, { key, body: {} })).status).toBe(403);
});

test("the summary of a source shows drift, and does not make the tag of the source outdated", async ({ api: base }) => {
  const api = await openUpstreamApi(base);
  const { path, id } = await makeUpstreamSource(api);
  await api.call("POST", `${path}:register`);
  const tag = (await api.call("GET", `/v1/sources/${id}`)).headers.get("etag") ?? "";
  const [webhook] = api.simulator.webhooks.list();
  if (webhook !== undefined) api.simulator.webhooks.setState(webhook, "disabled");
  expect(codesOf((await api.call("POST", `${path}:check`)).body.upstream.drift)).toEqual(["disabled"]);
  expect((await api.call("GET", `/v1/sources/${id}`)).body.upstream).toEqual({
    state: "disabled",
    drift: ["disabled"],
  });
  const headers = { "if-match": tag };
  const renamed = await api.call("PATCH", `/v1/sources/${id}`, { body: { tolerance_seconds: 60 }, headers });
  expect(renamed.status).toBe(200);
});

test("deregister deletes the webhook and leaves the secrets; keep_webhook needs no key", async ({ api: base }) => {
  const api = await openUpstreamApi(base);
  const { path, id } = await makeUpstreamSource(api);
  await api.call("POST", `${path}:register`);
  expect((await api.call("POST", `${path}:deregister`)).status).toBe(204);
  expect(api.simulator.webhooks.list()).toEqual([]);
  expect((await api.call("GET", path)).status).toBe(404);
  expect((await api.call("GET", `/v1/sources/${id}`)).body).toMatchObject({ upstream: null });
  expect((await api.call("GET", `/v1/sources/${id}`)).body.signing_secrets).toHaveLength(2);
  await api.call("POST", `${path}:register`);
  await api.call("PATCH", `/v1/sources/${id}`, { body: { gemini_api_key: null } });
  expect((await api.call("POST", `${path}:deregister`)).body.code).toBe("upstream_not_configured");
  expect((await api.call("POST", `${path}:deregister`, { body: { keep_webhook: true } })).status).toBe(204);
  expect(api.simulator.webhooks.list()).toHaveLength(1);
});

test("each change has its entries in the audit trail, and no key or secret is stored or logged in clear", async ({
  api: base,
}) => {
  const api = await openUpstreamApi(base);
  const { path, id } = await makeUpstreamSource(api);
  await api.call("POST", `${path}:register`);
  await api.call("PATCH", path, { body: { heal: "auto" } });
  await api.call("POST", `${path}:check`);
  await api.call("POST", `${path}:rotate`);
  await api.call("POST", `${path}:heal`);
  api.simulator.faults.calls.add({ failure: { kind: "error", status: 403 } });
  await api.call("POST", `${path}:check`);
  const secrets = api.simulator.webhooks.list().flatMap((webhook) => webhook.secrets.map(({ text }) => text));
  await api.call("POST", `${path}:deregister`);
  const { data } = (await api.call("GET", `/v1/audit?resource=${id}&limit=100`)).body;
  expect(data.map(({ action }: { action: string }) => action).toReversed()).toEqual([
    "source.created",
    "source.upstream_register_started",
    "source.upstream_registered",
    "source.upstream_updated",
    "source.upstream_check_started",
    "source.upstream_rotate_started",
    "source.upstream_rotated",
    "source.upstream_heal_started",
    "source.upstream_healed",
    "source.upstream_check_started",
    "source.upstream_deregister_started",
    "source.upstream_deregistered",
  ]);
  const { text: metrics } = await api.metrics.render();
  const everything = (await dumpDatabase(api.db)) + JSON.stringify(api.logLines) + metrics;
  expect(secrets).toHaveLength(2);
  for (const secret of [UPSTREAM_KEY, ...secrets]) {
    expect(everything).not.toContain(secret);
    expect(everything).not.toContain(Buffer.from(secret).toString("hex"));
  }
});
