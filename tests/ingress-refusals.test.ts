// A request that is no valid webhook of the source's sender gets an error, and stores no event.

import { expect } from "vitest";

import { sendRaw } from "./support/raw-request.ts";
import { type Relay, test } from "./support/relay.ts";
import { geminiEvent, signWebhook } from "./support/sign.ts";
import { until } from "./support/wait.ts";

const LIMIT = 1024 * 1024;
const nowSeconds = () => Math.floor(Date.now() / 1000);

/** The ids of the webhooks that the relay was right to accept. */
const accepted = new Set<string>();

/** Sends a valid event and waits until it is in the log. Everything that was accepted before it is in the log then. */
async function expectNoOtherEvent(relay: Relay): Promise<void> {
  const last = await relay.sendEvent();
  accepted.add(last.webhookId);
  const list = async () => {
    const { data } = await relay.call("GET", "/v1/events?limit=250");
    // The relay itself tells that it refuses a lot.
    return (data as { webhook_id: string; type: string | null }[])
      .filter(({ type }) => type?.startsWith("sluice.") !== true)
      .map((event) => event.webhook_id);
  };
  const logged = await until(list, { accept: (ids) => ids.includes(last.webhookId) });
  expect(logged.filter((id) => !accepted.has(id))).toEqual([]);
}

test.for([
  ["without any signature", { "webhook-signature": undefined }, "missing_header"],
  ["without an id", { "webhook-id": undefined }, "missing_header"],
  ["without a timestamp", { "webhook-timestamp": undefined }, "missing_header"],
  ["with a signature of something else", { "webhook-signature": `v1,${"A".repeat(43)}=` }, "signature_mismatch"],
  ["with a signature cut short", { "webhook-signature": "v1,AAAAAAAA" }, "signature_mismatch"],
  ["with a dot in the id", { "webhook-id": "msg_1.2" }, "malformed_header"],
  [
    "with another timestamp than the signed one",
    { "webhook-timestamp": String(nowSeconds() - 1) },
    "signature_mismatch",
  ],
  ["with a timestamp of letters", { "webhook-timestamp": "123junk" }, "malformed_header"],
  ["with a scheme that the source does not accept", { "webhook-signature": "v1a,AAAA" }, "unaccepted_scheme"],
] as const)("a request %s is a 400", async ([, changes, reason], { relay }) => {
  const signed = signWebhook({ secret: relay.secret, body: geminiEvent() });
  const headers = Object.fromEntries(
    Object.entries({ ...signed.headers, ...changes }).filter(([, value]) => value !== undefined),
  ) as Record<string, string>;
  const answer = await relay.send({ ...signed, headers });
  expect(answer).toMatchObject({ status: 400, body: { code: "verification_failed", reason } });
  expect(answer.headers.get("content-type")).toBe("application/problem+json");
  await expectNoOtherEvent(relay);
});

test.for([
  ["stale", -301, "stale_timestamp"],
  // More than 301, because the clock goes on until the request is verified.
  ["of the future", 360, "future_timestamp"],
] as const)("a request that is %s by more than 300 s is a 400", async ([, offset, reason], { relay }) => {
  const signed = signWebhook({ secret: relay.secret, body: geminiEvent(), timestamp: nowSeconds() + offset });
  expect(await relay.send(signed)).toMatchObject({ status: 400, body: { reason } });
  await expectNoOtherEvent(relay);
});

test("a changed body is a 400", async ({ relay }) => {
  const signed = signWebhook({ secret: relay.secret, body: geminiEvent() });
  const answer = await relay.send({ ...signed, body: Buffer.concat([signed.body, Buffer.from(" ")]) });
  expect(answer).toMatchObject({ status: 400, body: { reason: "signature_mismatch" } });
  await expectNoOtherEvent(relay);
});

test("a body that ends before its length is a 400", async ({ relay }) => {
  const { headers, body } = signWebhook({ secret: relay.secret, body: geminiEvent() });
  const length = { "content-length": String(body.length + 1) };
  const request = { path: "/in/gemini", headers: { ...headers, ...length }, chunks: [body], end: true };
  expect((await sendRaw(relay.ingressUrl, request)).status).toBe(400);
  await expectNoOtherEvent(relay);
});

test("a chunked body without its end is a 400", async ({ relay }) => {
  const { headers, body } = signWebhook({ secret: relay.secret, body: geminiEvent() });
  const chunks = [`${body.length.toString(16)}\r\n`, body, "\r\n"];
  const request = { path: "/in/gemini", headers: { ...headers, "transfer-encoding": "chunked" }, chunks, end: true };
  expect((await sendRaw(relay.ingressUrl, request)).status).toBe(400);
  await expectNoOtherEvent(relay);
});

test("a body of exactly the limit is accepted", async ({ relay }) => {
  const signed = signWebhook({ secret: relay.secret, body: "x".repeat(LIMIT) });
  expect((await relay.send(signed)).status).toBe(200);
  accepted.add(signed.webhookId);
});

test("a body whose announced length is above the limit is a 413 before it is sent", async ({ relay }) => {
  const { headers } = signWebhook({ secret: relay.secret, body: "x".repeat(LIMIT + 1) });
  const request = { path: "/in/gemini", headers: { ...headers, "content-length": String(LIMIT + 1) }, chunks: ["x"] };
  const answer = await sendRaw(relay.ingressUrl, request);
  expect(answer.status).toBe(413);
  expect(answer.body).toContain('"code":"payload_too_large"');
  await expectNoOtherEvent(relay);
});

test("a chunked body above the limit is a 413 before it ends", async ({ relay }) => {
  const { headers } = signWebhook({ secret: relay.secret, body: "x".repeat(LIMIT + 1) });
  const chunk = "x".repeat(64 * 1024);
  const chunks = Array.from({ length: 17 }, () => `${chunk.length.toString(16)}\r\n${chunk}\r\n`);
  const request = { path: "/in/gemini", headers: { ...headers, "transfer-encoding": "chunked" }, chunks };
  expect((await sendRaw(relay.ingressUrl, request)).status).toBe(413);
  await expectNoOtherEvent(relay);
});

test("an unknown source is a 404, also with a valid signature", async ({ relay }) => {
  const signed = signWebhook({ secret: relay.secret, body: geminiEvent() });
  for (const source of ["nobody", "GEMINI", "gemini%20", "%2e%2e", "gemini/x/y"]) {
    const answer = await relay.send(signed, source);
    expect(answer.status, source).toBe(404);
    expect(["unknown_source", "not_found"]).toContain(answer.body.code);
  }
  await expectNoOtherEvent(relay);
});

test.for(["GET", "PUT", "PATCH", "DELETE"])("%s to a source is a 405 that names POST", async (method, { relay }) => {
  const response = await fetch(`${relay.ingressUrl}/in/gemini`, { method });
  expect(response.status).toBe(405);
  expect(response.headers.get("allow")).toBe("POST");
  expect(await response.json()).toMatchObject({ code: "method_not_allowed" });
});

test("the public port serves no path of the private port, even with a key", async ({ relay }) => {
  const headers = { authorization: `Bearer ${relay.apiKey}` };
  for (const path of ["/", "/v1/events", "/v1/targets", "/readyz", "/metrics", "/openapi.json", "/docs", "/in"]) {
    const response = await fetch(relay.ingressUrl + path, { headers });
    expect(response.status, path).toBe(404);
    await response.body?.cancel();
  }
  const alive = await fetch(`${relay.ingressUrl}/healthz`);
  expect([alive.status, await alive.json()]).toEqual([200, { status: "ok" }]);
});
