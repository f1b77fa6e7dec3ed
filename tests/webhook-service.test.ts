// Gemini's WebhookService, driven by the official client: a team subscribes its internal service with the calls that it
// knows from Gemini.

import { GoogleGenAI, type Webhooks } from "@google/genai";
import { Webhook } from "standardwebhooks";
import { expect, onTestFinished, vi } from "vitest";

import type { Receiver } from "./support/receiver.ts";
import { type Relay, test } from "./support/relay.ts";
import { until } from "./support/wait.ts";

function openClient({ apiUrl, apiKey }: Relay): GoogleGenAI {
  return new GoogleGenAI({ apiKey, httpOptions: { baseUrl: apiUrl } });
}

/** Verifies a received request with the library, as a subscriber does. @returns the payload. */
function verify(secret: string | undefined, request: Receiver["requests"][number] | undefined): unknown {
  if (secret === undefined || request === undefined) throw new Error("There is nothing to verify");
  return new Webhook(secret).verify(request.body.toString(), request.headers as Record<string, string>);
}

/** The webhook without the response that the client adds to it. */
function resourceOf(webhook: Webhooks.Webhook & { sdkHttpResponse?: unknown }): Webhooks.Webhook {
  const { sdkHttpResponse: _, ...resource } = webhook;
  return resource;
}

const idOf = ({ id }: Webhooks.Webhook): string => {
  if (id === undefined) throw new Error("The webhook has no id");
  return id;
};

test("the official client creates, changes and deletes a webhook, which gets the ping and a batch event", async ({
  relay,
  receiver,
}) => {
  // `fetch` is only watched, not replaced: the client must reach nothing but the relay.
  const fetched = vi.spyOn(globalThis, "fetch");
  onTestFinished(() => fetched.mockRestore());
  const { webhooks } = openClient(relay);

  const created = await webhooks.create({
    name: "billing",
    uri: receiver.url,
    subscribed_events: ["batch.succeeded"],
  });
  const id = idOf(created);
  const secret = created.new_signing_secret ?? "";
  expect(created).toMatchObject({
    id: expect.stringMatching(/^tgt_/),
    name: "billing",
    uri: receiver.url,
    subscribed_events: ["batch.succeeded"],
    state: "enabled",
    signing_secrets: [{ truncated_secret: `whsec_...${secret.slice(-4)}` }],
  });
  expect(Date.parse(created.create_time ?? "")).toBeGreaterThan(0);

  const { new_signing_secret: _, ...shown } = resourceOf(created);
  expect(resourceOf(await webhooks.get(id))).toEqual(shown);

  expect(await webhooks.ping(id)).toBeDefined();
  const [ping] = await receiver.waitFor(1);
  expect(verify(secret, ping)).toMatchObject({ type: "ping", version: "v1", data: { id } });
  await webhooks.ping(id, { body: {} });
  await receiver.waitFor(2);

  const sent = await relay.sendEvent();
  const event = (await receiver.waitFor(3))[2];
  expect(event?.headers["webhook-id"]).toBe(sent.webhookId);
  expect(event?.body.equals(Buffer.from(sent.body))).toBe(true);
  expect(verify(secret, event)).toMatchObject({ type: "batch.succeeded" });

  const renamed = await webhooks.update(id, { name: "billing 2", subscribed_events: ["video.generated"] });
  expect(renamed).toMatchObject({ name: "billing 2", subscribed_events: ["video.generated"], uri: receiver.url });
  const masked = await webhooks.update(id, { name: "billing 3", state: "disabled", update_mask: "state" });
  expect(masked).toMatchObject({ name: "billing 2", state: "disabled" });
  expect(await relay.call("GET", `/v1/targets/${id}`)).toMatchObject({ name: "billing 2", state: "disabled" });

  await webhooks.delete(id);
  await expect(webhooks.get(id)).rejects.toMatchObject({ status: 404 });

  const reached = fetched.mock.calls.map(
    ([input]) => new URL(typeof input === "object" && "url" in input ? input.url : input).origin,
  );
  expect(new Set(reached)).toEqual(new Set([relay.apiUrl, relay.ingressUrl]));
});

test("the client's list has every page, including targets that were created by the API of the relay", async ({
  relay,
  receiver,
}) => {
  const { webhooks } = openClient(relay);
  const target = await relay.createTarget(receiver, { state: "paused" });
  const made = await Promise.all(
    Array.from({ length: 6 }, () => webhooks.create({ uri: receiver.url, subscribed_events: ["batch.failed"] })),
  );
  const found: Webhooks.Webhook[] = [];
  let pages = 0;
  let token: string | undefined;
  do {
    const page = await webhooks.list({ page_size: 3, ...(token !== undefined && { page_token: token }) });
    found.push(...(page.webhooks ?? []));
    token = page.next_page_token;
    pages += 1;
  } while (token !== undefined);
  expect(pages).toBe(3);
  expect(new Set(found.map(idOf))).toEqual(new Set([target.id, ...made.map(idOf)]));
  expect(found).toHaveLength(7);
  // The WebhookService has no state `paused`. It shows `disabled`, because nothing is delivered.
  expect(found.find((webhook) => webhook.id === target.id)).toMatchObject({ state: "disabled" });
  for (const webhook of made) await webhooks.delete(idOf(webhook));
});

test("in the overlap of a rotation both secrets verify, and after an immediate rotation only the new one does", async ({
  relay,
  receiver,
}) => {
  const { webhooks } = openClient(relay);
  const created = await webhooks.create({ uri: receiver.url, subscribed_events: ["batch.*"] });
  const id = idOf(created);
  const first = created.new_signing_secret;
  const receive = async () => {
    const { webhookId } = await relay.sendEvent();
    await webhooks.ping(id);
    const received = await until(() => receiver.requests.filter((request) => !seen.has(request)), {
      accept: (all) => all.length === 2,
    });
    for (const request of received) seen.add(request);
    expect(received.map(({ headers }) => headers["webhook-id"])).toContain(webhookId);
    return received;
  };
  const seen = new Set<Receiver["requests"][number]>();

  const { secret: second } = await webhooks.rotateSigningSecret(id, {
    revocation_behavior: "revoke_previous_secrets_after_h24",
  });
  for (const request of await receive()) {
    expect(() => verify(first, request)).not.toThrow();
    expect(() => verify(second, request)).not.toThrow();
  }
  const overlapping = (await webhooks.get(id)).signing_secrets ?? [];
  expect(overlapping).toHaveLength(2);
  const endsInMs = Date.parse(overlapping[0]?.expire_time ?? "") - Date.now();
  expect(endsInMs).toBeGreaterThan(23.9 * 3_600_000);
  expect(endsInMs).toBeLessThan(24.1 * 3_600_000);
  expect(overlapping[1]).toEqual({ truncated_secret: `whsec_...${second?.slice(-4)}` });

  const { secret: third } = await webhooks.rotateSigningSecret(id, {
    revocation_behavior: "revoke_previous_secrets_immediately",
  });
  for (const request of await receive()) {
    expect(() => verify(first, request)).toThrow("No matching signature");
    expect(() => verify(second, request)).toThrow("No matching signature");
    expect(() => verify(third, request)).not.toThrow();
  }
  expect((await webhooks.get(id)).signing_secrets).toHaveLength(1);
  await webhooks.delete(id);
});

test("the client understands every refusal", async ({ relay, receiver }) => {
  const { webhooks } = openClient(relay);
  const stranger = new GoogleGenAI({ apiKey: "wrong", httpOptions: { baseUrl: relay.apiUrl } });
  await expect(stranger.webhooks.list()).rejects.toMatchObject({ status: 401 });
  await expect(webhooks.create({ uri: "ftp://x", subscribed_events: ["*"] })).rejects.toMatchObject({
    status: 400,
    message: expect.stringContaining("/uri must be an absolute http or https URL"),
  });
  await expect(webhooks.list({ page_token: "x" })).rejects.toMatchObject({ status: 400 });

  receiver.answerWith(() => ({ status: 500 }));
  const created = await webhooks.create({ uri: receiver.url, subscribed_events: ["batch.*"] });
  await expect(webhooks.ping(idOf(created))).rejects.toMatchObject({
    status: 400,
    message: expect.stringContaining("answered with the status 500"),
  });
  // Neither the relay nor the client has tried a second time.
  expect(receiver.requests).toHaveLength(1);
  await webhooks.delete(idOf(created));
});
