// Rotations: a sender may change to the new secret at any moment of the overlap and has nothing refused, and a revoked
// secret or token is refused by every gateway within a second.

import { randomUUID } from "node:crypto";

import { expect, onTestFinished } from "vitest";

import { generateSigningSecret } from "@sluice/signature/secret";

import { startJwksServer } from "./support/jwks-server.ts";
import { postWebhook } from "./support/post-webhook.ts";
import { type Relay, test } from "./support/relay.ts";
import { signWebhookByV1a } from "./support/sign-dynamic.ts";
import { geminiEvent, type SignedWebhook, signWebhook } from "./support/sign.ts";
import { newEd25519Key } from "./support/signing/test-webhooks.ts";
import { until } from "./support/wait.ts";

/** Another gateway picks up a change within a second. A machine that is busy or stands still may take much longer. */
const PICKED_UP_MS = 15_000;

async function createSource(relay: Relay) {
  const name = `rotating-${randomUUID().slice(0, 8)}`;
  const secret = generateSigningSecret().text;
  const { id } = await relay.call("POST", "/v1/sources", { name, signing_secret: secret });
  const rotate = async (previous: string) => {
    const next = generateSigningSecret().text;
    await relay.call("POST", `/v1/sources/${id}/signing-secrets`, { secret: next, previous });
    return next;
  };
  return { id, name, secret, rotate };
}

async function startSecondGateway(relay: Relay): Promise<string> {
  const second = await relay.startGateway();
  onTestFinished(() => second.stop());
  return second.ingressUrl;
}

const sendTo = async (ingressUrl: string, signed: SignedWebhook, path: string) =>
  (await postWebhook(ingressUrl, signed, path)).status;

test("under load, a sender that changes secrets at a random moment of the overlap has nothing refused", async ({
  relay,
}) => {
  const { id, name, secret, rotate } = await createSource(relay);
  let current = secret;
  let sent = 0;
  const answers: number[] = [];
  const sendUntil = async (stopped: () => boolean) => {
    while (!stopped()) {
      sent += 1;
      // Some events are signed before the change of the secret and sent after it.
      const signed = signWebhook({ secret: current, body: geminiEvent() });
      answers.push((await relay.send(signed, name)).status);
    }
  };
  for (let round = 0; round < 3; round++) {
    const end = sent + 300;
    const rotateAt = sent + 50 + Math.floor(Math.random() * 50);
    const changeAfter = Math.floor(Math.random() * 50);
    const senders = Array.from({ length: 16 }, () => sendUntil(() => sent >= end));
    await until(() => sent >= rotateAt);
    const next = await rotate("revoke_after_24h");
    const changeAt = sent + changeAfter;
    await until(() => sent >= changeAt || sent >= end);
    current = next;
    await Promise.all(senders);
    answers.push((await relay.send(signWebhook({ secret: next, body: geminiEvent() }), name)).status);
  }
  expect(answers.length).toBeGreaterThan(900);
  expect(answers.filter((status) => status !== 200)).toEqual([]);
  // The very first secret is still in its overlap.
  expect((await relay.send(signWebhook({ secret, body: geminiEvent() }), name)).status).toBe(200);
  expect((await relay.call("GET", `/v1/rejections?source=${id}`)).data).toEqual([]);
  const { signing_secrets: shown } = await relay.call("GET", `/v1/sources/${id}`);
  expect(shown).toHaveLength(4);
});

test("another gateway accepts a new source, and each new secret, from the first webhook on", async ({ relay }) => {
  const second = await startSecondGateway(relay);
  const { name, secret, rotate } = await createSource(relay);
  const sendWith = (usedSecret: string) =>
    sendTo(second, signWebhook({ secret: usedSecret, body: geminiEvent() }), name);
  expect(await sendWith(secret)).toBe(200);
  // Several rounds, because in one of them the gateway's own poll could happen to come first.
  for (let round = 0; round < 5; round++) {
    const next = await rotate("revoke_after_24h");
    expect(await sendWith(next)).toBe(200);
    expect(await sendWith(secret)).toBe(200);
  }
});

test("after revoke_immediately the old secret is refused at once, and by another gateway within a second", async ({
  relay,
}) => {
  const second = await startSecondGateway(relay);
  const { id, name, secret, rotate } = await createSource(relay);
  const send = (ingressUrl: string, usedSecret: string) =>
    sendTo(ingressUrl, signWebhook({ secret: usedSecret, body: geminiEvent() }), name);
  await until(() => send(second, secret), { accept: (status) => status === 200, timeoutMs: PICKED_UP_MS });
  const next = await rotate("revoke_immediately");
  expect(await send(relay.ingressUrl, secret)).toBe(400);
  expect(await send(relay.ingressUrl, next)).toBe(200);
  await until(() => send(second, secret), {
    accept: (status) => status === 400,
    timeoutMs: PICKED_UP_MS,
    what: "the refusal",
  });
  expect(await send(second, next)).toBe(200);
  const rejections = await until(async () => (await relay.call("GET", `/v1/rejections?source=${id}`)).data, {
    accept: (found) => found.length >= 2,
  });
  expect(new Set(rejections.map(({ reason }: { reason: string }) => reason))).toEqual(new Set(["signature_mismatch"]));
});

test("the old secret is refused when the overlap ends, without another change", async ({ relay }) => {
  const { id, name, secret, rotate } = await createSource(relay);
  const next = await rotate("revoke_after_24h");
  const send = async (usedSecret: string) =>
    (await relay.send(signWebhook({ secret: usedSecret, body: geminiEvent() }), name)).status;
  expect(await send(secret)).toBe(200);
  // Moves the end of the overlap a day earlier in the database. Any change then makes the gateway load the sources.
  const { pool } = relay.database.db;
  await pool.query(
    "UPDATE source_secrets SET expires_at = expires_at - interval '24 hours' + interval '1 second' WHERE expires_at " +
      "IS NOT NULL",
  );
  await relay.call("PATCH", `/v1/sources/${id}`, { tolerance_seconds: 299 });
  await until(() => send(secret), { accept: (status) => status === 400, timeoutMs: PICKED_UP_MS + 1_000 });
  expect(await send(next)).toBe(200);
});

test("an ingress token is rotated like a secret: both work in the overlap, and a revoked one is a 404", async ({
  relay,
}) => {
  const second = await startSecondGateway(relay);
  const key = newEd25519Key("a");
  const endpoint = await startJwksServer(key.jwk);
  onTestFinished(() => endpoint.stop());
  const name = `rotating-${randomUUID().slice(0, 8)}`;
  const source = await relay.call("POST", "/v1/sources", { name, kind: "dynamic", jwks_uri: endpoint.url });
  const first: string = source.new_ingress_token;
  const send = (ingressUrl: string, token: string) => sendTo(ingressUrl, signWebhookByV1a(key), `${name}/${token}`);
  const rotate = async (previous: string): Promise<string> =>
    (await relay.call("POST", `/v1/sources/${source.id}/ingress-tokens`, { previous })).token;
  const next = await rotate("revoke_after_24h");
  for (const token of [first, next]) {
    expect(await send(relay.ingressUrl, token)).toBe(200);
    await until(() => send(second, token), { accept: (status) => status === 200, timeoutMs: PICKED_UP_MS });
  }
  const last = await rotate("revoke_immediately");
  for (const token of [first, next]) {
    expect(await send(relay.ingressUrl, token)).toBe(404);
    await until(() => send(second, token), { accept: (status) => status === 404, timeoutMs: PICKED_UP_MS });
  }
  expect(await send(relay.ingressUrl, last)).toBe(200);
  expect(await send(second, last)).toBe(200);
});
