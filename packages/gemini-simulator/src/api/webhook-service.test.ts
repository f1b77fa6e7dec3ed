// WebhookService, driven by the official client. A test is named after the fact of the live service that it keeps.

import type { Webhooks } from "@google/genai";
import { expect, test } from "vitest";

import {
  callGemini,
  HOUR_MS,
  openSimulator,
  SIMULATED_START_MS,
  type TestSimulator,
} from "../../../../tests/support/gemini-simulator.ts";

const INPUT = { name: "relay", uri: "https://relay.example/in/gemini" };

const create = ({ client }: TestSimulator, changes: Partial<Webhooks.WebhookInput> = {}) =>
  client.webhooks.create({ ...INPUT, subscribed_events: ["batch.succeeded"], ...changes });

const idOf = ({ id }: Webhooks.Webhook): string => {
  if (id === undefined) throw new Error("The webhook has no id");
  return id;
};

const truncate = (secret: string | undefined) => `whsec_...${secret?.slice(-4)}`;

test("registration accepts seven events, and the error for any other lists them", async () => {
  const simulator = await openSimulator();
  const events: Webhooks.WebhookInput["subscribed_events"] = [
    "batch.succeeded",
    "batch.expired",
    "batch.failed",
    "interaction.requires_action",
    "interaction.completed",
    "interaction.failed",
    "video.generated",
  ];
  expect(await create(simulator, { subscribed_events: events })).toMatchObject({ subscribed_events: events });
  for (const refused of ["batch.cancelled", "interaction.cancelled", "batch.completed", "*", "BATCH_SUCCEEDED"]) {
    const body = { ...INPUT, subscribed_events: [refused] };
    const { status, body: answer } = await callGemini(simulator, "POST", "/v1/webhooks", body);
    expect(status).toBe(400);
    for (const event of events) expect(answer.error.message).toContain(`'${event}'`);
  }
});

test("ids are bare, secrets are shown by their last four characters, and create_time and update_time never", async () => {
  const simulator = await openSimulator();
  const created = await create(simulator);
  const { sdkHttpResponse: _, ...read } = (await simulator.client.webhooks.get(idOf(created))) as Webhooks.Webhook & {
    sdkHttpResponse?: unknown;
  };
  const secret = created.new_signing_secret ?? "";
  expect(Buffer.from(secret.replace("whsec_", ""), "base64")).toHaveLength(32);
  expect(read).toEqual({
    ...INPUT,
    id: expect.stringMatching(/^[0-9a-z]{36}$/),
    subscribed_events: ["batch.succeeded"],
    state: "enabled",
    signing_secrets: [{ truncated_secret: `whsec_...${secret.slice(-4)}` }],
  });
});

test("the secret is shown once, by create", async () => {
  const simulator = await openSimulator();
  const created = await create(simulator);
  expect(created.new_signing_secret).toMatch(/^whsec_/);
  const id = idOf(created);
  const others = [
    await simulator.client.webhooks.get(id),
    await simulator.client.webhooks.update(id, { name: "other" }),
    ...((await simulator.client.webhooks.list()).webhooks ?? []),
  ];
  expect(others).toHaveLength(3);
  expect(others.map((webhook) => webhook.new_signing_secret)).toEqual([undefined, undefined, undefined]);
});

test("update_mask is ignored: the fields of the body decide", async () => {
  const simulator = await openSimulator();
  const id = idOf(await create(simulator));
  const changes = { name: "renamed", state: "disabled" as const, update_mask: "uri" };
  expect(await simulator.client.webhooks.update(id, changes)).toMatchObject({
    name: "renamed",
    state: "disabled",
    uri: INPUT.uri,
    subscribed_events: ["batch.succeeded"],
  });
});

test("unknown query parameters are ignored", async () => {
  const simulator = await openSimulator();
  await create(simulator);
  await create(simulator);
  // The camelCase spelling of a parameter is unknown, too.
  const { status, body } = await callGemini(simulator, "GET", "/v1/webhooks?pageSize=1&filter=x");
  expect({ status, length: body.webhooks.length }).toEqual({ status: 200, length: 2 });
});

test("camelCase keys in a body are refused with a hint", async () => {
  const simulator = await openSimulator();
  const body = { ...INPUT, subscribedEvents: ["batch.succeeded"] };
  expect(await callGemini(simulator, "POST", "/v1/webhooks", body)).toMatchObject({
    status: 400,
    body: { error: { message: "Unknown parameter 'subscribedEvents'. Did you mean 'subscribed_events'?" } },
  });
  const id = idOf(await create(simulator));
  const path = `/v1/webhooks/${id}:rotateSigningSecret`;
  expect(await callGemini(simulator, "POST", path, { revocationBehavior: "x" })).toMatchObject({ status: 400 });
});

test("a ping answers {} even for a URI that cannot be reached, with a body or without", async () => {
  const simulator = await openSimulator({ retry: { horizonMs: 0 } });
  const id = idOf(await create(simulator, { uri: "http://127.0.0.1:1/hook" }));
  await simulator.client.webhooks.ping(id);
  await simulator.client.webhooks.ping(id, { body: {} });
  expect(await callGemini(simulator, "POST", `/v1/webhooks/${id}:ping`)).toMatchObject({ status: 200, body: {} });
  await simulator.clock.settle();
  expect(simulator.deliveries.list().map(({ type, state }) => [type, state])).toContainEqual(["ping", "failed"]);
});

test("a rotation keeps old secrets for 24 hours by default, and they then show expire_time", async () => {
  const simulator = await openSimulator();
  const { webhooks } = simulator.client;
  const created = await create(simulator);
  const id = idOf(created);
  const { body } = await callGemini(simulator, "POST", `/v1/webhooks/${id}:rotateSigningSecret`, {});
  const endTime = new Date(SIMULATED_START_MS + 24 * HOUR_MS).toISOString();
  expect((await webhooks.get(id)).signing_secrets).toEqual([
    { truncated_secret: truncate(created.new_signing_secret), expire_time: endTime },
    { truncated_secret: truncate(body.secret) },
  ]);
  await simulator.clock.advance(24 * HOUR_MS);
  expect((await webhooks.get(id)).signing_secrets).toEqual([{ truncated_secret: truncate(body.secret) }]);
});

test("a rotation can end old secrets immediately, and the two behaviours are all that it takes", async () => {
  const simulator = await openSimulator();
  const { webhooks } = simulator.client;
  const id = idOf(await create(simulator));
  const { secret } = await webhooks.rotateSigningSecret(id, {
    revocation_behavior: "revoke_previous_secrets_immediately",
  });
  expect((await webhooks.get(id)).signing_secrets).toEqual([{ truncated_secret: `whsec_...${secret?.slice(-4)}` }]);
  const path = `/v1/webhooks/${id}:rotateSigningSecret`;
  const { status, body } = await callGemini(simulator, "POST", path, { revocation_behavior: "later" });
  expect(status).toBe(400);
  expect(body.error.message).toContain("'revoke_previous_secrets_after_h24', 'revoke_previous_secrets_immediately'");
});

test("a list has 50 webhooks by default, 1,000 at most, and a token for the next page", async () => {
  const simulator = await openSimulator();
  const fields = { name: undefined, uri: INPUT.uri, subscribedEvents: ["batch.failed"] };
  const made = Array.from({ length: 1_001 }, () => simulator.webhooks.create("default", fields).id);
  const { webhooks } = simulator.client;
  const page = await webhooks.list();
  expect(page.webhooks).toHaveLength(50);
  const large = await webhooks.list({ page_size: 5_000 });
  expect(large.webhooks).toHaveLength(1_000);
  const last = await webhooks.list({ page_size: 1_000, page_token: large.next_page_token ?? "" });
  expect(last.webhooks).toHaveLength(1);
  expect(last.next_page_token).toBeUndefined();
  expect([...(large.webhooks ?? []), ...(last.webhooks ?? [])].map(({ id }) => id)).toEqual(made);
  await expect(webhooks.list({ page_token: "nonsense" })).rejects.toMatchObject({ status: 400 });
});

test("an id may come percent-encoded, under both versions of the API", async () => {
  const simulator = await openSimulator();
  const id = idOf(await create(simulator));
  for (const path of [`/v1/webhooks/${id}`, `/v1beta/webhooks/webhooks%2F${id}`, `/v1alpha/webhooks/${id}`])
    expect(await callGemini(simulator, "GET", path)).toMatchObject({ status: 200, body: { id } });
});

test("errors have Google's form", async () => {
  const simulator = await openSimulator();
  expect(await callGemini(simulator, "GET", "/v1/webhooks/nobody")).toMatchObject({
    status: 404,
    body: { error: { code: 404, message: expect.stringContaining("nobody"), status: "NOT_FOUND" } },
  });
  await expect(simulator.client.webhooks.get("nobody")).rejects.toMatchObject({ name: "NotFoundError", status: 404 });
});

test("a webhook that was deleted is gone, and a key of another project sees none of it", async () => {
  const simulator = await openSimulator({ apiKeys: { "simulated-key": "one", "other-key": "two" } });
  const id = idOf(await create(simulator));
  const foreign = await fetch(`${simulator.url}/v1/webhooks/${id}`, { headers: { "x-goog-api-key": "other-key" } });
  expect(foreign.status).toBe(404);
  const unknown = await fetch(`${simulator.url}/v1/webhooks`, { headers: { "x-goog-api-key": "unknown-key" } });
  expect([unknown.status, (await fetch(`${simulator.url}/v1/webhooks`)).status]).toEqual([400, 403]);
  await simulator.client.webhooks.delete(id);
  await expect(simulator.client.webhooks.get(id)).rejects.toMatchObject({ status: 404 });
});
