// How a pull target is made, changed and shown.

import { expect } from "vitest";

import { createPullTarget, pull } from "../../../../../tests/support/api/pulls.ts";
import { pointersOf, test } from "../../../../../tests/support/api/test-api.ts";

const findNamed = (list: { name: string }[], name: string) => list.find((each) => each.name === name);

const NEW = { kind: "pull", subscribed_events: ["*"] };

test("a pull target has a secret and no URI, is named pull, and keeps its kind", async ({ api }) => {
  const made = await api.call("POST", "/v1/targets", { body: NEW });
  expect(made).toMatchObject({
    status: 201,
    body: { kind: "pull", uri: null, last_pulled_at: null, delete_after_idle_seconds: null, headers: {}, tls: null },
  });
  expect(made.body.name).toMatch(/^pull(-\d+)?$/);
  expect(made.body.new_signing_secret).toMatch(/^whsec_/);
  expect(made.body.signing_secrets).toHaveLength(1);
  const path = `/v1/targets/${made.body.id}`;
  expect((await api.call("GET", path)).body.uri).toBeNull();
  const changed = await api.call("PATCH", path, {
    body: { name: "mine", filter: "true", delete_after_idle_seconds: 604_800, retry: { base_seconds: 1 } },
  });
  expect(changed.body).toMatchObject({ name: "mine", kind: "pull", uri: null, delete_after_idle_seconds: 604_800 });
  const put = await api.call("PUT", "/v1/targets/by-name/mine", { body: { ...NEW, subscribed_events: ["batch.*"] } });
  expect(put).toMatchObject({ status: 200, body: { uri: null, delete_after_idle_seconds: null } });
});

test.for([
  [{ uri: "http://one.example/" }, ["/uri"]],
  [{ headers: { authorization: "x" } }, ["/headers"]],
  [{ timeout_seconds: 5, max_in_flight: 3 }, ["/timeout_seconds", "/max_in_flight"]],
  [{ rate_limit: { requests: 1, per_seconds: 1 } }, ["/rate_limit"]],
  [{ tls: { server_name: "one.example" } }, ["/tls"]],
  [{ delete_after_idle_seconds: 59 }, ["/delete_after_idle_seconds"]],
] as const)("%j is refused for a pull target, also in a change", async ([changes, pointers], { api }) => {
  const made = await api.call("POST", "/v1/targets", { body: { ...NEW, ...changes } });
  expect([made.status, pointersOf(made)]).toEqual([400, pointers]);
  const target = await createPullTarget(api);
  const changed = await api.call("PATCH", `/v1/targets/${target.id}`, { body: changes });
  expect([changed.status, pointersOf(changed)]).toEqual([400, pointers]);
});

test("an http target needs a URI, and is not deleted for being idle", async ({ api }) => {
  const refused = async (body: object) => pointersOf(await api.call("POST", "/v1/targets", { body }));
  expect(await refused({ subscribed_events: ["*"] })).toEqual(["/uri"]);
  expect(await refused({ subscribed_events: ["*"], kind: "slack" })).toEqual(["/uri"]);
  const idle = { uri: "http://one.example/", subscribed_events: ["*"], delete_after_idle_seconds: 3_600 };
  expect(await refused(idle)).toEqual(["/delete_after_idle_seconds"]);
  expect(await refused({ ...idle, delete_after_idle_seconds: null })).toEqual([]);
});

test("the WebhookService knows no pull target", async ({ api }) => {
  const target = await createPullTarget(api);
  const path = `/v1/webhooks/${target.id}`;
  const { webhooks } = (await api.call("GET", "/v1/webhooks?page_size=1000")).body;
  expect(webhooks.map(({ id }: { id: string }) => id)).not.toContain(target.id);
  for (const [method, each, body] of [
    ["GET", path],
    ["PATCH", path, { name: "other" }],
    ["DELETE", path],
    ["POST", `${path}:ping`],
    ["POST", `${path}:rotateSigningSecret`, {}],
  ] as const)
    expect([method, each, (await api.call(method, each, { body })).status]).toEqual([method, each, 404]);
  expect((await api.call("GET", `/v1/targets/${target.id}`)).body.name).toBe(target.name);
});

test("a test of a pull target waits to be pulled, and answers with the attempt that is reported", async ({ api }) => {
  const target = await createPullTarget(api, { subscribed_events: ["video.generated"] });
  const tested = api.call("POST", `/v1/targets/${target.id}:test`);
  const [{ token, event_type: type, delivery_id: id }] = await pull(api, target, { wait_seconds: 25 });
  expect(type).toBe("sluice.test");
  const results = [{ token, status_code: 204, duration_ms: 3 }];
  await api.call("POST", `/v1/targets/${target.id}:ack`, { body: { results } });
  expect(await tested).toMatchObject({
    status: 200,
    body: { delivery: { id, status: "succeeded" }, attempt: { status_code: 204, url: null } },
  });
  expect(api.tested).toEqual([]);
});

test("a file of settings and the export have the kind, and keys for a target by its name", async ({ api }) => {
  const configuration = {
    managed_by: "pull.yaml",
    targets: [{ name: "from-file", kind: "pull", subscribed_events: ["batch.*"], delete_after_idle_seconds: 3_600 }],
    keys: [{ name: "for-file", scopes: ["target:from-file"], key: "a-key-that-only-this-test-knows-0123456789" }],
  };
  const apply = (body: object) => api.call("POST", "/v1/configuration:apply", { body: { configuration: body } });
  const applied = await apply(configuration);
  expect(applied.body.changes).toMatchObject([
    { type: "target", action: "create", new_signing_secret: expect.stringMatching(/^whsec_/) },
    { type: "key", action: "create" },
  ]);
  expect((await apply(configuration)).body).toMatchObject({ changes: [], unchanged: 2 });
  const path = "/v1/targets/by-name/from-file";
  const target = (await api.call("GET", path)).body;
  expect(target).toMatchObject({ kind: "pull", uri: null, managed_by: "pull.yaml" });
  const key = "a-key-that-only-this-test-knows-0123456789";
  expect((await api.call("POST", `/v1/targets/${target.id}:pull`, { key, body: {} })).status).toBe(200);

  const exported = (await api.call("GET", "/v1/configuration")).body;
  expect(findNamed(exported.targets, "from-file")).toEqual({
    name: "from-file",
    kind: "pull",
    subscribed_events: ["batch.*"],
    delete_after_idle_seconds: 3_600,
    signing_secret: "${env:SLUICE_TARGET_FROM_FILE_SIGNING_SECRET}",
  });
  expect(findNamed(exported.keys, "for-file")).toMatchObject({ scopes: ["target:from-file"] });

  const wrong = await apply({ ...configuration, keys: [{ ...configuration.keys[0], scopes: ["target:nobody"] }] });
  expect([wrong.status, pointersOf(wrong)]).toEqual([400, ["/configuration/keys/0/scopes/0"]]);
  const withUri = await apply({ targets: [{ ...configuration.targets[0], uri: "http://one.example/" }] });
  expect(pointersOf(withUri)).toEqual(["/configuration/targets/0/uri"]);
});
