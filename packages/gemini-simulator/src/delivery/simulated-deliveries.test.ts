// What the simulator sends, at a real receiver. A test is named after the fact that it keeps.

import { createPublicKey, verify } from "node:crypto";

import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from "jose";
import { Webhook } from "standardwebhooks";
import { expect, onTestFinished, test } from "vitest";

import { callGemini, HOUR_MS, openSimulator, PROMPT } from "../../../../tests/support/gemini-simulator.ts";
import { type Receiver, startReceiver } from "../../../../tests/support/receiver.ts";
import type { SimulatorOptions } from "../simulator.ts";
import type { JobStart } from "../state/simulated-jobs.ts";

type Received = Receiver["requests"][number];

/** A simulator, a receiver, and a webhook at the receiver for all events. */
async function openPair(options: SimulatorOptions = {}) {
  const simulator = await openSimulator(options);
  const receiver = await startReceiver();
  onTestFinished(() => receiver.stop());
  const webhook = await simulator.client.webhooks.create({
    uri: receiver.url,
    subscribed_events: ["batch.succeeded", "batch.failed", "batch.expired", "interaction.requires_action"],
  });
  const startBatch = (changes: Partial<JobStart> = {}) => simulator.jobs.start({ kind: "batch", ...changes });
  return { simulator, receiver, id: webhook.id ?? "", secret: webhook.new_signing_secret ?? "", startBatch };
}

const verifyStatic = (secret: string, { body, headers }: Received) =>
  new Webhook(secret).verify(body.toString(), headers as Record<string, string>);

const idOf = ({ headers }: Received) => headers["webhook-id"];
const eventOf = ({ body }: Received) => JSON.parse(body.toString());

test("a registered webhook gets its events in the thin envelope, signed by v1 with its secret", async () => {
  const { simulator, receiver, secret, startBatch } = await openPair();
  const job = startBatch();
  simulator.jobs.move(job, { state: "succeeded" });
  const [request] = await receiver.waitFor(1);
  expect(request?.headers["webhook-id"]).toMatch(/^msg_[0-9a-f-]{36}$/);
  expect(verifyStatic(secret, request as Received)).toEqual({
    type: "batch.succeeded",
    version: "v1",
    timestamp: "2026-01-22T12:00:00Z",
    data: { id: job.id, output_file_uri: expect.stringMatching(/^gs:/) },
  });
});

test("batch.succeeded has no output_file_uri for inline input, and batch.failed has a code and a message", async () => {
  const { simulator, receiver, startBatch } = await openPair();
  const jobs = [startBatch({ isInline: true }), startBatch()] as const;
  simulator.jobs.move(jobs[0], { state: "succeeded" });
  await receiver.waitFor(1);
  simulator.jobs.move(jobs[1], { state: "failed", error: { code: 3, message: "no such model" } });
  expect((await receiver.waitFor(2)).map((request) => eventOf(request).data)).toEqual([
    { id: jobs[0].id },
    { id: jobs[1].id, error_code: 3, error_message: "no such model" },
  ]);
});

test("a webhook gets only the events that it subscribed to, and none while it is disabled", async () => {
  const { simulator, receiver, id, startBatch } = await openPair();
  simulator.jobs.move(startBatch({ kind: "video" }), { state: "generated" });
  await simulator.client.webhooks.update(id, { state: "disabled" });
  simulator.jobs.move(startBatch(), { state: "succeeded" });
  await simulator.client.webhooks.ping(id);
  await simulator.client.webhooks.update(id, { state: "enabled" });
  await simulator.client.webhooks.ping(id);
  await receiver.waitFor(1);
  await simulator.clock.settle();
  expect(receiver.requests.map((request) => eventOf(request).type)).toEqual(["ping"]);
});

test("ends without an event: a cancelled or partially succeeded batch, and three ends of an interaction", async () => {
  const { simulator, startBatch } = await openPair();
  for (const state of ["cancelled", "partially_succeeded"]) simulator.jobs.move(startBatch(), { state });
  for (const state of ["cancelled", "incomplete", "budget_exceeded"])
    simulator.jobs.move(startBatch({ kind: "interaction" }), { state });
  expect(simulator.deliveries.list()).toEqual([]);
});

test("requires_action has an event and is no end", async () => {
  const { simulator, receiver, startBatch } = await openPair();
  const job = startBatch({ kind: "interaction" });
  simulator.jobs.move(job, { state: "requires_action" });
  const [request] = await receiver.waitFor(1);
  expect(eventOf(request as Received)).toMatchObject({ type: "interaction.requires_action", data: { id: job.id } });
  expect(job.endedAtMs).toBeUndefined();
  simulator.jobs.move(job, { state: "completed" });
});

test("during a rotation both secrets verify, and after 24 hours only the new one", async () => {
  const { simulator, receiver, id, secret: old, startBatch } = await openPair();
  const { secret = "" } = await simulator.client.webhooks.rotateSigningSecret(id);
  simulator.jobs.move(startBatch(), { state: "succeeded" });
  const [during] = await receiver.waitFor(1);
  for (const each of [old, secret]) expect(() => verifyStatic(each, during as Received)).not.toThrow();
  await simulator.clock.advance(24 * HOUR_MS);
  simulator.jobs.move(startBatch(), { state: "succeeded" });
  const after = (await receiver.waitFor(2))[1] as Received;
  expect(() => verifyStatic(secret, after)).not.toThrow();
  expect(() => verifyStatic(old, after)).toThrow("No matching signature");
});

test("a job's webhook_config replaces the registered webhooks, and user_metadata is in its events", async () => {
  const { simulator, receiver } = await openPair();
  const named = await startReceiver();
  onTestFinished(() => named.stop());
  const job = await simulator.client.batches.create({
    model: "gemini-3.8-flash",
    src: [{ contents: PROMPT }],
    config: { webhookConfig: { uris: [named.url], userMetadata: { customer: "42" } } },
  });
  simulator.jobs.move(simulator.jobs.get(job.name ?? ""), { state: "succeeded" });
  const [request] = await named.waitFor(1);
  expect(eventOf(request as Received)).toMatchObject({ user_metadata: { customer: "42" } });
  await simulator.clock.settle();
  expect(receiver.requests).toEqual([]);
});

test("dynamic webhooks are signed by v1a with one of three published OKP keys, and the header names none", async () => {
  const { simulator, receiver, startBatch } = await openPair();
  for (let index = 0; index < 12; index++)
    simulator.jobs.move(startBatch({ webhooks: { uris: [receiver.url] } }), {
      state: "succeeded",
    });
  const requests = await receiver.waitFor(12);
  const { body } = await callGemini(simulator, "GET", "/.well-known/jwks.json");
  expect(body.keys.map(({ kty, crv }: Record<string, string>) => [kty, crv])).toEqual(
    Array.from({ length: 3 }, () => ["OKP", "Ed25519"]),
  );
  const signers = requests.map(({ headers, body: sent }) => {
    const [, signature = ""] = /^v1a,([A-Za-z0-9+/]{86}==)$/.exec(String(headers["webhook-signature"])) ?? [];
    const content = [headers["webhook-id"], headers["webhook-timestamp"], sent.toString()].join(".");
    return body.keys.filter((jwk: Record<string, string>) =>
      verify(
        null,
        Buffer.from(content),
        createPublicKey({ key: jwk, format: "jwk" }),
        Buffer.from(signature, "base64"),
      ),
    );
  });
  expect(signers.map(({ length }) => length)).toEqual(Array.from({ length: 12 }, () => 1));
  expect(new Set(signers.flat()).size).toBe(3);
});

test("dynamic webhooks can be signed as the guide says: a JWT by RS256, its kid in the key set, its aud the address", async () => {
  const { simulator, receiver, startBatch } = await openPair({ scheme: "jwt" });
  simulator.jobs.move(startBatch({ webhooks: { uris: [receiver.url] } }), {
    state: "succeeded",
  });
  const [request] = (await receiver.waitFor(1)) as [Received];
  const keySet = (await callGemini(simulator, "GET", "/.well-known/jwks.json")).body as JSONWebKeySet;
  const { payload, protectedHeader } = await jwtVerify(
    String(request.headers["webhook-signature"]),
    createLocalJWKSet(keySet),
    { audience: receiver.url, algorithms: ["RS256"] },
  );
  expect(protectedHeader.kid).toBe(keySet.keys.find(({ kty }) => kty === "RSA")?.kid);
  expect(payload).toMatchObject({ jti: idOf(request), event: eventOf(request) });
});

test("what fails is retried with growing delays for 24 hours, with the same webhook-id and a fresh timestamp", async () => {
  const { simulator, receiver, startBatch } = await openPair({ timestamps: "clock" });
  receiver.answerWith((_request, index) => ({ status: [500, 404, 302, 503, 410][index % 5] ?? 500 }));
  simulator.jobs.move(startBatch(), { state: "succeeded" });
  await simulator.clock.advance(25 * HOUR_MS);
  const [delivery] = simulator.deliveries.list();
  expect(delivery?.state).toBe("failed");
  expect(new Set(receiver.requests.map(idOf))).toEqual(new Set([delivery?.webhookId]));
  expect(new Set(receiver.requests.map(({ body }) => body.toString())).size).toBe(1);
  const times = delivery?.attempts.map(({ atMs }) => atMs) ?? [];
  expect(receiver.requests).toHaveLength(times.length);
  expect(receiver.requests.map(({ headers }) => Number(headers["webhook-timestamp"]))).toEqual(
    times.map((ms) => Math.floor(ms / 1000)),
  );
  const delays = times.slice(1).map((ms, index) => ms - (times[index] ?? 0));
  expect(times.length).toBeGreaterThan(24);
  expect(delays[0]).toBeLessThanOrEqual(10_000);
  expect(Math.max(...delays)).toBeLessThanOrEqual(HOUR_MS);
  expect((times.at(-1) ?? 0) - (times[0] ?? 0)).toBeGreaterThan(22 * HOUR_MS);
});

test("a retry can keep the timestamp of the first attempt", async () => {
  const { simulator, receiver, startBatch } = await openPair({ timestamps: "clock", retryTimestamps: "first" });
  receiver.answerWith((_request, index) => ({ status: index === 0 ? 500 : 200 }));
  simulator.jobs.move(startBatch(), { state: "succeeded" });
  await simulator.clock.advance(HOUR_MS);
  expect(receiver.requests).toHaveLength(2);
  expect(new Set(receiver.requests.map(({ headers }) => headers["webhook-timestamp"])).size).toBe(1);
});

test("a webhook whose deliveries fail is disabled_due_to_failed_deliveries, and a client enables it again", async () => {
  const { simulator, receiver, id, startBatch } = await openPair({ disableAfter: 2 });
  const { webhooks } = simulator.client;
  receiver.answerWith(() => ({ status: 500 }));
  simulator.jobs.move(startBatch(), { state: "succeeded" });
  await simulator.clock.advance(25 * HOUR_MS);
  expect((await webhooks.get(id)).state).toBe("enabled");
  simulator.jobs.move(startBatch(), { state: "succeeded" });
  await simulator.clock.advance(25 * HOUR_MS);
  expect((await webhooks.get(id)).state).toBe("disabled_due_to_failed_deliveries");
  receiver.answerWith(() => ({}));
  const before = receiver.requests.length;
  simulator.jobs.move(startBatch(), { state: "succeeded" });
  expect(await webhooks.update(id, { state: "enabled" })).toMatchObject({ state: "enabled" });
  const job = startBatch();
  simulator.jobs.move(job, { state: "succeeded" });
  await simulator.clock.settle();
  expect(receiver.requests.slice(before).map((request) => eventOf(request).data.id)).toEqual([job.id]);
});

test("a delivery that waits for its retry is dropped when its webhook is disabled or deleted", async () => {
  const { simulator, receiver, id, startBatch } = await openPair();
  receiver.answerWith(() => ({ status: 500 }));
  simulator.jobs.move(startBatch(), { state: "succeeded" });
  await simulator.clock.settle();
  await simulator.client.webhooks.delete(id);
  await simulator.clock.advance(25 * HOUR_MS);
  expect(simulator.deliveries.list().map(({ state, attempts }) => [state, attempts.length])).toEqual([["dropped", 1]]);
});

test("a receiver that does not answer in time has failed", async () => {
  const { simulator, receiver, startBatch } = await openPair({ attemptTimeoutMs: 50, retry: { horizonMs: 0 } });
  receiver.answerWith(() => "hang");
  simulator.jobs.move(startBatch(), { state: "succeeded" });
  await simulator.clock.settle();
  expect(simulator.deliveries.list()[0]?.attempts[0]?.result).toEqual({
    kind: "failed",
    reason: "no answer within 50 ms",
  });
});

test("what Google leaves open is a setting: the form of data.id, and where user_metadata is", async () => {
  const { simulator, receiver, startBatch } = await openPair({ dataId: "name", userMetadata: "data" });
  const job = startBatch({ webhooks: { uris: [receiver.url], userMetadata: { n: 1 } }, isInline: true });
  simulator.jobs.move(job, { state: "succeeded" });
  const [request] = await receiver.waitFor(1);
  expect(eventOf(request as Received)).toEqual({
    type: "batch.succeeded",
    version: "v1",
    timestamp: "2026-01-22T12:00:00Z",
    data: { id: job.name, user_metadata: { n: 1 } },
  });
});
