import { CHAT_KINDS } from "@sluice/shared/domain/target-kinds";
import { targetsPart } from "@sluice/store/configuration/targets-part";
import { parseId } from "@sluice/shared/domain/ids";
import { expect } from "vitest";

import { pointersOf, test, type TestApi } from "../../../../../tests/support/api/test-api.ts";
import { dumpDatabase } from "../../../../../tests/support/dump.ts";

const SECRET_PATH = "/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX";
const URL_OF_HOOK = `https://hooks.slack.com${SECRET_PATH}`;
const SHOWN = "https://hooks.slack.com";

const create = (api: TestApi, body: object = {}) =>
  api.call("POST", "/v1/targets", {
    body: { kind: "slack", uri: URL_OF_HOOK, subscribed_events: ["sluice.*"], ...body },
  });

/** The URL to which a worker would send. */
async function readChatUrl(api: TestApi, id: string) {
  const { value } = await targetsPart(api.masterKey).load(api.db, undefined);
  return value.get(parseId("tgt", id, "id"))?.chatUrl;
}

test("a chat target is shown by the host of its URL, signs nothing, and gets a message a second", async ({ api }) => {
  const made = await create(api);
  expect(made.status).toBe(201);
  expect(made.body).toMatchObject({
    kind: "slack",
    name: "hooks.slack.com",
    uri: SHOWN,
    headers: {},
    max_in_flight: 1,
    rate_limit: { requests: 1, per_seconds: 1 },
    signing_secrets: [],
  });
  expect(made.body).not.toHaveProperty("new_signing_secret");
  expect(await readChatUrl(api, made.body.id)).toBe(URL_OF_HOOK);
});

test.for(CHAT_KINDS)("%s is a kind, with limits of its own where a caller gives them", async (kind, { api }) => {
  const made = await create(api, { kind, rate_limit: null, max_in_flight: 3 });
  expect(made.body).toMatchObject({ kind, rate_limit: null, max_in_flight: 3 });
});

test("the URL is in no answer, no log, no entry of the audit trail and no table", async ({ api }) => {
  const made = await create(api);
  const path = `/v1/targets/${made.body.id}`;
  const other = URL_OF_HOOK.replace("XXXX", "YYYY");
  const answers = [
    made,
    await api.call("PATCH", path, { body: { uri: other } }),
    await api.call("GET", path),
    await api.call("GET", "/v1/targets"),
    await api.call("GET", `/v1/webhooks/${made.body.id}`),
    await create(api, { uri: `${URL_OF_HOOK}#fragment` }),
    await create(api, { uri: `https://user:password@hooks.slack.com${SECRET_PATH}` }),
    await create(api, { headers: { "x-one": "1" } }),
    await api.call("GET", `/v1/audit?resource=${made.body.id}`),
  ];
  expect(await readChatUrl(api, made.body.id)).toBe(other);
  const everything = JSON.stringify(answers.map(({ body }) => body)) + JSON.stringify(api.logLines);
  for (const text of [everything, await dumpDatabase(api.db)]) {
    expect(text).not.toContain("/services/");
    expect(text).not.toContain(Buffer.from("/services/").toString("hex"));
  }
});

test("a URL that is sent back as it was shown stays, and a new one takes its place", async ({ api }) => {
  const { id } = (await create(api)).body;
  const before = await api.call("GET", `/v1/targets/${id}`);
  const same = await api.call("PATCH", `/v1/targets/${id}`, { body: { uri: SHOWN } });
  expect(same.body).toEqual(before.body);
  const webhook = await api.call("PATCH", `/v1/webhooks/${id}`, { body: { uri: SHOWN, name: "alarm" } });
  expect(webhook).toMatchObject({ status: 200, body: { uri: SHOWN, name: "alarm" } });
  expect(await readChatUrl(api, id)).toBe(URL_OF_HOOK);

  const moved = "https://chat.example/hooks/abc?token=1";
  const patched = await api.call("PATCH", `/v1/targets/${id}`, { body: { uri: moved } });
  expect(patched.body.uri).toBe("https://chat.example");
  expect(await readChatUrl(api, id)).toBe(moved);
});

test.for([
  ["only a host", { uri: SHOWN }, "/uri"],
  ["only a host and a slash", { uri: `${SHOWN}/` }, "/uri"],
  ["http to the service itself", { uri: URL_OF_HOOK.replace("https", "http") }, "/uri"],
  ["headers", { headers: { authorization: "Bearer x" } }, "/headers"],
  ["a kind that does not exist", { kind: "irc" }, "/kind"],
] as const)("%s is refused by name", async ([, body, pointer], { api }) => {
  const answer = await create(api, body);
  expect(answer.status).toBe(400);
  expect(pointersOf(answer)).toEqual([pointer]);
});

test("a stand-in of a service inside may be reached by http", async ({ api }) => {
  expect((await create(api, { uri: "http://chat-proxy.internal:8065/hooks/abc" })).status).toBe(201);
});

test("the address guard holds for chat targets", async ({ api }) => {
  const answer = await create(api, { uri: "http://169.254.169.254/services/abc" });
  expect([answer.status, pointersOf(answer)]).toEqual([400, ["/uri"]]);
});

test("the kind of a target stays, and a PATCH does not know the field", async ({ api }) => {
  const { id } = (await create(api)).body;
  const answer = await api.call("PATCH", `/v1/targets/${id}`, { body: { kind: "http" } });
  expect([answer.status, pointersOf(answer)]).toEqual([400, ["/kind"]]);
});

test("a PUT makes a chat target, keeps its URL when it is given as it was shown, and refuses another kind", async ({
  api,
}) => {
  const path = "/v1/targets/by-name/on-call";
  const body = { kind: "slack", uri: URL_OF_HOOK, subscribed_events: ["sluice.*"] };
  const made = await api.call("PUT", path, { body });
  expect(made).toMatchObject({ status: 201, body: { kind: "slack", uri: SHOWN } });
  const replaced = await api.call("PUT", path, { body: { ...body, uri: SHOWN, subscribed_events: ["*"] } });
  expect(replaced).toMatchObject({ status: 200, body: { subscribed_events: ["*"], max_in_flight: 1 } });
  expect(await readChatUrl(api, made.body.id)).toBe(URL_OF_HOOK);
  const other = await api.call("PUT", path, { body: { ...body, kind: "discord" } });
  expect([other.status, pointersOf(other)]).toEqual([400, ["/kind"]]);
});

test("there is no signing secret to rotate", async ({ api }) => {
  const { id } = (await create(api)).body;
  const answer = await api.call("POST", `/v1/targets/${id}:rotate-secret`, {
    body: { previous: "revoke_immediately" },
  });
  expect(answer).toMatchObject({ status: 409, body: { code: "wrong_kind" } });
  expect((await api.call("POST", `/v1/webhooks/${id}:rotateSigningSecret`)).status).toBe(409);
});
