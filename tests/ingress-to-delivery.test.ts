// The way of an event through the relay: it is stored once, and delivered byte for byte to every target.

import { randomBytes } from "node:crypto";
import { gzipSync } from "node:zlib";

import { Webhook } from "standardwebhooks";
import { expect } from "vitest";

import { startReceiver } from "./support/receiver.ts";
import { test } from "./support/relay.ts";
import { geminiEvent, signBytes, signWebhook } from "./support/sign.ts";
import { until } from "./support/wait.ts";

test("an event reaches its target with a signature that standardwebhooks verifies, and is in the log", async ({
  relay,
  receiver,
}) => {
  const target = await relay.createTarget(receiver, {
    subscribed_events: ["batch.*"],
    headers: { "x-team": "billing" },
  });
  const body = geminiEvent("batch.succeeded", { id: "batch_1", output_file_uri: "gs://bucket/ü.jsonl" });
  // The event was signed two minutes ago, but its delivery has a fresh timestamp.
  const signed = signWebhook({ secret: relay.secret, body, timestamp: Math.floor(Date.now() / 1000) - 120 });
  const answer = await relay.send(signed);
  expect(answer).toMatchObject({ status: 200, body: { status: "received", webhook_id: signed.webhookId } });

  const [request] = await receiver.waitFor(1);
  expect(request).toMatchObject({ method: "POST", path: "/hook", body: signed.body });
  expect(request?.headers).toMatchObject({
    "webhook-id": signed.webhookId,
    "content-type": "application/json",
    "content-length": String(signed.body.length),
    "sluice-attempt": "1",
    "x-team": "billing",
  });
  const headers = request?.headers as Record<string, string>;
  expect(Math.abs(Number(headers["webhook-timestamp"]) - Date.now() / 1000)).toBeLessThan(30);
  expect(new Webhook(target.new_signing_secret).verify(signed.body, headers)).toEqual(JSON.parse(body));
  expect(() => new Webhook(relay.secret).verify(signed.body, headers)).toThrow("No matching signature");

  const delivery = await until(() => relay.call("GET", `/v1/deliveries/${headers["sluice-delivery-id"]}`), {
    accept: ({ status }) => status === "succeeded",
  });
  expect(delivery).toMatchObject({
    event: headers["sluice-event-id"],
    target: target.id,
    webhook_id: signed.webhookId,
    attempt_count: 1,
    next_attempt_at: null,
    last_status_code: 200,
    attempts: [{ number: 1, trigger: "initial", status_code: 200, error: null }],
  });
  const event = await relay.call("GET", `/v1/events/${headers["sluice-event-id"]}`);
  expect(event).toMatchObject({ webhook_id: signed.webhookId, type: "batch.succeeded", scheme: "v1" });
  expect(event).toMatchObject({ size_bytes: signed.body.length, payload: JSON.parse(body) });
});

test("the same event sent 50 times at once is one event and one delivery per target", async ({ relay, receiver }) => {
  const other = await startReceiver();
  try {
    const [first, second] = [await relay.createTarget(receiver), await relay.createTarget(other)];
    const signed = signWebhook({ secret: relay.secret, body: geminiEvent() });
    const answers = await Promise.all(Array.from({ length: 50 }, () => relay.send(signed)));
    expect(answers.map((answer) => answer.status)).toEqual(answers.map(() => 200));
    // The event comes once more when it is in the log, from a sender that missed the answer.
    await Promise.all([receiver.waitFor(1), other.waitFor(1)]);
    expect((await relay.send(signed)).status).toBe(200);

    // When an event that was sent after all of them has arrived, none of them is on its way any more.
    const last = await relay.sendEvent();
    for (const each of [receiver, other]) {
      await until(() => each.requests.some((request) => request.headers["webhook-id"] === last.webhookId));
      const ids = each.requests.map((request) => String(request.headers["webhook-id"]));
      expect(ids.toSorted()).toEqual([signed.webhookId, last.webhookId].toSorted());
    }
    const events = await relay.call("GET", `/v1/events?webhook_id=${signed.webhookId}`);
    expect(events.data).toHaveLength(1);
    const deliveries = await relay.call("GET", `/v1/deliveries?webhook_id=${signed.webhookId}`);
    const targets = deliveries.data.map((delivery: { target: string }) => delivery.target) as string[];
    expect(targets).toHaveLength(2);
    expect(new Set(targets)).toEqual(new Set([first.id, second.id]));
  } finally {
    await relay.deleteTargets(other);
    await other.stop();
  }
});

test.for([
  ["bytes that are not UTF-8", Buffer.from([0x00, 0xff, 0xfe, 0xc3, 0x28, 0x80, 0x0d, 0x0a])],
  ["nothing", Buffer.alloc(0)],
  ["JSON with odd white space and a repeated key", Buffer.from('\ufeff{ "a" :1,\r\n\t"a": 1e2 }\n')],
  ["half a megabyte of noise", randomBytes(512 * 1024)],
] as const)("a body of %s arrives byte for byte", async ([, body], { relay, receiver }) => {
  const target = await relay.createTarget(receiver);
  const signed = signWebhook({ secret: relay.secret, body });
  expect((await relay.send(signed)).status).toBe(200);
  const [request] = await receiver.waitFor(1);
  expect(request?.body.equals(body)).toBe(true);
  const { headers } = request ?? {};
  expect(headers?.["webhook-signature"]).toBe(
    signBytes(target.new_signing_secret, signed.webhookId, Number(headers?.["webhook-timestamp"]), body),
  );
  const event = await relay.call("GET", `/v1/events/${String(headers?.["sluice-event-id"])}`);
  expect(event).toMatchObject({ type: null, size_bytes: body.length });
});

test("a compressed body arrives as it came, in every attempt, and with its label", async ({ relay, receiver }) => {
  await relay.createTarget(receiver, { retry: { base_seconds: 0.05, cap_seconds: 0.05 } });
  receiver.answerWith((_, index) => ({ status: index === 0 ? 500 : 200 }));
  const body = gzipSync(geminiEvent());
  const signed = signWebhook({ secret: relay.secret, body });
  const headers = { ...signed.headers, "content-encoding": "gzip" };
  expect((await relay.send({ ...signed, headers })).status).toBe(200);
  for (const request of await receiver.waitFor(2)) {
    expect(request.headers).toMatchObject({ "content-encoding": "gzip", "content-type": "application/json" });
    expect(request.body.equals(body)).toBe(true);
  }
  const { data } = await relay.call("GET", `/v1/events?webhook_id=${signed.webhookId}`);
  expect(data).toMatchObject([{ content_encoding: "gzip", type: null, payload: null }]);
});

test("a target gets only the event types that it subscribed to", async ({ relay, receiver }) => {
  await relay.createTarget(receiver, { subscribed_events: ["batch.*", "video.generated"] });
  const types = ["batch.succeeded", "batch.x.y", "batch", "batchx.y", "video.generated", "video.generated.x", "ping"];
  for (const type of types) await relay.sendEvent({ body: geminiEvent(type) });
  await relay.sendEvent({ body: "no envelope" });
  await relay.sendEvent({ body: geminiEvent("batch.last") });
  await receiver.waitFor(4);
  const got = receiver.requests.map((request) => (JSON.parse(request.body.toString()) as { type: string }).type);
  expect(got.toSorted()).toEqual(["batch.last", "batch.succeeded", "batch.x.y", "video.generated"]);
});

test("each source has its own secret, and accepts no signature by another one", async ({ relay, receiver }) => {
  await relay.createTarget(receiver);
  const source = await relay.call("POST", "/v1/sources", { name: "team-a" });
  const secret: string = source.new_signing_secret;
  const signed = signWebhook({ secret, body: geminiEvent() });
  expect((await relay.send(signed, "team-a")).status).toBe(200);
  expect(await relay.send(signed)).toMatchObject({ status: 400, body: { reason: "signature_mismatch" } });
  await receiver.waitFor(1);
  const events = await relay.call("GET", `/v1/events?webhook_id=${signed.webhookId}`);
  expect(events.data).toEqual([expect.objectContaining({ source: source.id })]);
});

test("no secret, key, signature or body is ever logged", async ({ relay, receiver }) => {
  const target = await relay.createTarget(receiver, { headers: { authorization: "Bearer target-credential" } });
  const signed = await relay.sendEvent({ body: geminiEvent("batch.failed", { marker: "body-marker" }) });
  await relay.send({ ...signed, headers: { ...signed.headers, "webhook-signature": "v1,bad-signature" } });
  const [request] = await receiver.waitFor(1);
  const countLines = () => relay.logLines.filter((line) => line.includes(signed.webhookId)).length;
  await until(() => countLines() >= 3, { what: "both requests and the attempt to be logged" });
  const log = relay.logLines.join("");
  const hidden = [relay.secret, relay.apiKey, target.new_signing_secret, "target-credential", "body-marker"];
  hidden.push(
    "bad-signature",
    signed.headers["webhook-signature"] ?? "",
    String(request?.headers["webhook-signature"]),
  );
  for (const text of hidden) expect(log).not.toContain(text.replace(/^(v1,|whsec_)/, ""));
});
