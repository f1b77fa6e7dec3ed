import { expect } from "vitest";

import { formatId, newId, readId } from "@sluice/shared/domain/ids";

import { type Answer, test, type TestApi } from "../../../../../tests/support/api/test-api.ts";

const NEW = { uri: "http://127.0.0.1:9/hook", subscribed_events: ["batch.*"] };

async function create(api: TestApi, changes: object = {}) {
  return (await api.call("POST", "/v1/webhooks", { body: { ...NEW, ...changes } })).body;
}

/** Every failure has Google's form, and none is a problem document. */
function expectGoogleError(answer: Answer, code: number, status: string, message: string | RegExp): void {
  expect(answer.status).toBe(code);
  expect(answer.headers.get("content-type")).toBe("application/json");
  expect(answer.body).toEqual({ error: { code, status, message: expect.stringMatching(message) } });
}

for (const version of ["v1", "v1beta"]) {
  const path = `/${version}/webhooks`;

  test(`${path}: a webhook is created, read, changed, rotated and deleted`, async ({ api }) => {
    const created = await api.call("POST", path, { body: { ...NEW, name: "mine" } });
    expect(created.status).toBe(200);
    expect(created.body).toEqual({
      id: expect.stringMatching(/^tgt_[0-9a-z]{26}$/),
      name: "mine",
      ...NEW,
      state: "enabled",
      signing_secrets: [{ truncated_secret: expect.stringMatching(/^whsec_\.\.\..{4}$/) }],
      new_signing_secret: expect.stringMatching(/^whsec_/),
      create_time: expect.any(String),
      update_time: expect.any(String),
    });
    const { new_signing_secret: secret, ...shown } = created.body;
    const { id } = shown;
    for (const form of [id, `webhooks%2F${id}`, `webhooks%2f${id}`, `webhooks/${id}`]) {
      expect(await api.call("GET", `${path}/${form}`)).toMatchObject({ status: 200, body: shown });
    }
    const listed = await api.call("GET", path);
    expect(listed.body.webhooks).toContainEqual(shown);
    expect(listed.body).not.toHaveProperty("next_page_token");

    const changed = await api.call("PATCH", `${path}/webhooks%2F${id}`, { body: { state: "disabled" } });
    expect(changed).toMatchObject({
      status: 200,
      body: { ...shown, state: "disabled", update_time: expect.any(String) },
    });

    for (const rotate of [`${path}/${id}:rotateSigningSecret`, `${path}/webhooks%2F${id}/rotate_secret`]) {
      const rotated = await api.call("POST", rotate, {
        body: { revocation_behavior: "REVOKE_PREVIOUS_SECRETS_IMMEDIATELY" },
      });
      expect(rotated).toMatchObject({ status: 200, body: { secret: expect.stringMatching(/^whsec_/) } });
      expect(rotated.body.secret).not.toBe(secret);
      const { signing_secrets: secrets } = (await api.call("GET", `${path}/${id}`)).body;
      expect(secrets).toEqual([{ truncated_secret: `whsec_...${rotated.body.secret.slice(-4)}` }]);
    }
    // Without a body, the earlier secret stays valid for 24 hours.
    await api.call("POST", `${path}/${id}:rotateSigningSecret`);
    expect((await api.call("GET", `${path}/${id}`)).body.signing_secrets).toHaveLength(2);

    expect(await api.call("DELETE", `${path}/${id}`)).toMatchObject({ status: 200, body: {} });
    expectGoogleError(await api.call("GET", `${path}/${id}`), 404, "NOT_FOUND", "target|webhook");
  });

  test(`${path}: every failure has the form of Google's APIs`, async ({ api }) => {
    const { id } = await create(api);
    const wrong: [Promise<Answer>, number, string, string | RegExp][] = [
      [api.call("GET", path, { key: null }), 401, "UNAUTHENTICATED", "Send an API key"],
      [api.call("GET", path, { key: "wrong" }), 401, "UNAUTHENTICATED", "not known"],
      [api.call("GET", `${path}/tgt_01h455vb4pex5vsknk084sn02q`), 404, "NOT_FOUND", "no webhook"],
      [api.call("GET", `${path}/abc`), 404, "NOT_FOUND", "no webhook"],
      [api.call("DELETE", `${path}/abc`), 404, "NOT_FOUND", "no webhook"],
      [api.call("POST", `${path}/abc:ping`), 404, "NOT_FOUND", "no webhook"],
      [api.call("POST", `${path}/${id}:pong`), 404, "NOT_FOUND", "nothing at this path"],
      [api.call("GET", `${path}/${id}/more/than/that`), 404, "NOT_FOUND", "nothing at this path"],
      [api.call("PUT", `${path}/${id}`, { body: {} }), 405, "UNIMPLEMENTED", "takes GET"],
      [api.call("GET", `${path}/${id}:ping`), 405, "UNIMPLEMENTED", "takes POST"],
      [api.call("POST", path, { body: "{" }), 400, "INVALID_ARGUMENT", "not valid JSON"],
      [api.call("POST", path, { body: "[]" }), 400, "INVALID_ARGUMENT", "must be an object"],
      [
        api.call("POST", path, { body: {} }),
        400,
        "INVALID_ARGUMENT",
        "/uri is required; /subscribed_events is required",
      ],
      [
        api.call("PATCH", `${path}/${id}`, { body: { uri: "http://169.254.169.254/" } }),
        400,
        "INVALID_ARGUMENT",
        "/uri is a forbidden address",
      ],
      [
        api.call("POST", path, { body: { ...NEW, uri: "http://169.254.169.254/" } }),
        400,
        "INVALID_ARGUMENT",
        "/uri is a forbidden address",
      ],
      [api.call("POST", path, { body: { ...NEW, url: "x" } }), 400, "INVALID_ARGUMENT", "/url is not a field"],
      [
        api.call("POST", path, { body: { ...NEW, subscribedEvents: ["*"] } }),
        400,
        "INVALID_ARGUMENT",
        "/subscribed_events is given twice",
      ],
      [api.call("POST", path, { body: { ...NEW, state: "paused" } }), 400, "INVALID_ARGUMENT", "/state must be one of"],
      [api.call("POST", path, { body: "x".repeat(300_000) }), 413, "INVALID_ARGUMENT", "at most 262144 bytes"],
      [
        api.call("POST", path, { body: "uri=x", headers: { "content-type": "text/plain" } }),
        415,
        "INVALID_ARGUMENT",
        "content-type",
      ],
      [api.call("PATCH", `${path}/${id}?update_mask=state,url`, { body: {} }), 400, "INVALID_ARGUMENT", "names url"],
      [api.call("GET", `${path}?page_size=-1`), 400, "INVALID_ARGUMENT", /\?page_size must be/],
      [api.call("GET", `${path}?page_token=x`), 400, "INVALID_ARGUMENT", "cursor"],
      [
        api.call("POST", `${path}/${id}:rotateSigningSecret`, { body: { revocation_behavior: "never" } }),
        400,
        "INVALID_ARGUMENT",
        "/revocation_behavior must be one of",
      ],
      [api.call("POST", `${path}/${id}:ping`, { body: { uri: "x" } }), 400, "INVALID_ARGUMENT", "/uri is not a field"],
    ];
    for (const [answer, ...expected] of wrong) expectGoogleError(await answer, ...expected);
  });
}

test("parameters that the WebhookService does not know are ignored, as Google's are", async ({ api }) => {
  const listed = await api.call("GET", "/v1/webhooks?limit=1&$alt=json");
  expect(listed).toMatchObject({ status: 200, body: { webhooks: expect.any(Array) } });
});

test("an id that nothing has is no webhook, whatever is asked of it, and another version says that it is not served", async ({
  api,
}) => {
  const id = formatId("tgt", newId());
  const path = `/v1/webhooks/${id}`;
  for (const [method, at] of [
    ["GET", path],
    ["PATCH", path],
    ["DELETE", path],
    ["POST", `${path}:ping`],
    ["POST", `${path}:rotateSigningSecret`],
  ] as const) {
    const answer = await api.call(method, at, method === "PATCH" || method === "POST" ? { body: {} } : {});
    expectGoogleError(answer, 404, "NOT_FOUND", "There is no webhook with this id");
  }
  expectGoogleError(await api.call("GET", "/v2/webhooks"), 404, "NOT_FOUND", "nothing at this path");
});

test("paths outside of the WebhookService answer problem documents", async ({ api }) => {
  for (const path of ["/v1/targets/abc", "/v1/webhooksandmore", "/v1/nothing"]) {
    const answer = await api.call("GET", path);
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
  }
  expectGoogleError(await api.call("GET", "/v1beta/models"), 404, "NOT_FOUND", "nothing at this path");
});

test("an update applies only the fields that its mask names", async ({ api }) => {
  const { id } = await create(api, { name: "before" });
  const change = { name: "after", uri: "http://127.0.0.1:9/after", subscribed_events: ["*"], state: "disabled" };
  const update = async (mask: string) =>
    (await api.call("PATCH", `/v1/webhooks/${id}?update_mask=${mask}`, { body: change })).body;
  expect(await update("name")).toMatchObject({ ...NEW, name: "after", state: "enabled" });
  expect(await update("state,uri")).toMatchObject({
    subscribed_events: ["batch.*"],
    uri: change.uri,
    state: "disabled",
  });
  expect(await update("create_time")).toMatchObject({ subscribed_events: ["batch.*"] });
  expect(await update("subscribedEvents")).toMatchObject({ subscribed_events: ["*"] });
  const camel = await api.call("PATCH", `/v1/webhooks/${id}?updateMask=*`, { body: { subscribedEvents: ["batch.*"] } });
  expect(camel.body).toMatchObject({ ...change, subscribed_events: ["batch.*"] });
});

test("sending a webhook back as it was read does not change it", async ({ api }) => {
  const target = await api.call("POST", "/v1/targets", {
    body: { ...NEW, state: "paused", headers: { "x-team": "a" }, filter: "true", timeout_seconds: 3 },
  });
  const path = `/v1/webhooks/${target.body.id}`;
  const webhook = (await api.call("GET", path)).body;
  expect(webhook).toMatchObject({ state: "disabled" });
  expect((await api.call("PATCH", path, { body: webhook })).status).toBe(200);
  const { new_signing_secret: _, ...shown } = target.body;
  expect((await api.call("GET", `/v1/targets/${target.body.id}`)).body).toEqual(shown);
});

test("setting enabled resumes a paused target, and wakes a worker", async ({ api }) => {
  const target = await api.call("POST", "/v1/targets", { body: { ...NEW, state: "paused" } });
  const changed = await api.call("PATCH", `/v1/webhooks/${target.body.id}`, { body: { state: "ENABLED" } });
  expect(changed.body).toMatchObject({ state: "enabled" });
  expect((await api.call("GET", `/v1/targets/${target.body.id}`)).body).toMatchObject({ state: "enabled" });
  expect(api.woken).toContain(readId("tgt", target.body.id));
});

test("the state disabled_due_to_failed_deliveries can be set, read and ended", async ({ api }) => {
  const { id } = await create(api);
  const state = "disabled_due_to_failed_deliveries";
  expect((await api.call("PATCH", `/v1/webhooks/${id}`, { body: { state } })).body).toMatchObject({ state });
  expect((await api.call("GET", `/v1/targets/${id}`)).body).toMatchObject({ state });
  expect((await api.call("POST", `/v1/targets/${id}:enable`)).body).toMatchObject({ state: "enabled" });
});

test("a page has 50 webhooks, or page_size of them up to 1000", async ({ api }) => {
  await Promise.all(Array.from({ length: 60 }, () => create(api)));
  const count = async (query: string) => (await api.call("GET", `/v1/webhooks${query}`)).body.webhooks.length;
  expect(await count("")).toBe(50);
  expect(await count("?page_size=0")).toBe(50);
  expect(await count("?pageSize=7&pageToken=")).toBe(7);
  for (const size of ["100000", "1000000000", "9".repeat(400), "00000000001000"]) {
    expect(await count(`?page_size=${size}`)).toBeGreaterThanOrEqual(60);
  }
  for (const size of ["-1", "1.5", "1e3", "", "x"]) {
    expectGoogleError(
      await api.call("GET", `/v1/webhooks?page_size=${size}`),
      400,
      "INVALID_ARGUMENT",
      "a whole number",
    );
  }
});

test("an eleventh valid secret is refused with a status that clients do not repeat", async ({ api }) => {
  const { id } = await create(api);
  const rotate = () => api.call("POST", `/v1/webhooks/${id}:rotateSigningSecret`, { body: {} });
  for (let valid = 1; valid < 10; valid++) expect((await rotate()).status).toBe(200);
  expectGoogleError(await rotate(), 400, "FAILED_PRECONDITION", "10 are valid, which is the limit");
});

test("If-Match makes a change conditional on the webhook that was read", async ({ api }) => {
  const { id } = await create(api);
  const path = `/v1/webhooks/${id}`;
  const etag = (await api.call("GET", path)).headers.get("etag") ?? "";
  const update = () => api.call("PATCH", path, { body: { name: "conditional" }, headers: { "if-match": etag } });
  expect((await update()).status).toBe(200);
  expectGoogleError(await update(), 412, "FAILED_PRECONDITION", "read it again");
});

test("an id that contains a line break is answered in the form of Google's APIs", async ({ api }) => {
  for (const end of ["%0D", "%0A", "%E2%80%A8"]) {
    const answer = await api.call("POST", `/v1/webhooks/a${end}b:rotateSigningSecret`, { body: {} });
    expectGoogleError(answer, 404, "NOT_FOUND", "");
  }
});
