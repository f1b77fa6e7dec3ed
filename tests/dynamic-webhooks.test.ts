// Dynamic webhooks from the ingress to a target: they are signed by keys that an endpoint publishes, and accepted only
// at an address that cannot be guessed.

import { randomUUID } from "node:crypto";

import { expect, onTestFinished } from "vitest";

import { CALLBACK_KEY_PURPOSE, mintCallbackToken, readCallbackToken } from "@sluice/signature/callback-token";

import { startJwksServer } from "./support/jwks-server.ts";
import { postWebhook } from "./support/post-webhook.ts";
import { type Relay, test as relayTest } from "./support/relay.ts";
import { signWebhookByJwt, signWebhookByV1a } from "./support/sign-dynamic.ts";
import { geminiEvent, type SignedWebhook, signWebhook } from "./support/sign.ts";
import { newEd25519Key, newRsaKey } from "./support/signing/test-webhooks.ts";
import { until } from "./support/wait.ts";

const AUDIENCE = "https://relay.example/in/dynamic";
const ed25519 = newEd25519Key("ed-1");
const rsa = newRsaKey("rsa-1");
const stranger = newEd25519Key("ed-1");

const QUICK_RETRY = { base_seconds: 0.05, cap_seconds: 0.05 };

const signByJwt = (claims: object = {}, body?: string) => signWebhookByJwt(rsa, { aud: AUDIENCE, ...claims }, body);

/** `test` with a fixture `endpoint`, one for each file, which publishes both keys. */
// oxlint-disable-next-line no-empty-pattern -- vitest reads what a fixture depends on off this pattern.
const test = relayTest.extend("endpoint", { scope: "file" }, async ({}, { onCleanup }) => {
  const endpoint = await startJwksServer(ed25519.jwk, rsa.jwk);
  onCleanup(() => endpoint.stop());
  return endpoint;
});

interface DynamicSource {
  id: string;
  name: string;
  token: string;
  /** The path under `/in/`, with the token. */
  path: string;
}

async function createSource(relay: Relay, jwksUri: string, changes: object = {}): Promise<DynamicSource> {
  const name = `dynamic-${randomUUID().slice(0, 8)}`;
  const settings = { name, kind: "dynamic", jwks_uri: jwksUri, audiences: [AUDIENCE], ...changes };
  const { id, new_ingress_token: token } = await relay.call("POST", "/v1/sources", settings);
  return { id, name, token, path: `${name}/${token}` };
}

const findEvent = (relay: Relay, webhookId: string) =>
  until(async () => (await relay.call("GET", `/v1/events?webhook_id=${webhookId}`)).data[0], { what: "the event" });

const findRejections = (relay: Relay, source: DynamicSource, reason: string, count = 1) =>
  until(async () => (await relay.call("GET", `/v1/rejections?source=${source.id}&reason=${reason}`)).data, {
    accept: (rejections) => rejections.length >= count,
    what: `${count} rejections for ${reason}`,
  });

const createCallback = async (relay: Relay, source: DynamicSource, settings: object = {}): Promise<string> => {
  const given = { labels: { job: "nightly", customer: "42" }, expires_in_seconds: 600, ...settings };
  const { ingress_path: path } = await relay.call("POST", `/v1/sources/${source.id}/callback-urls`, given);
  return path.slice("/in/".length);
};

test("events signed by v1a and by a JWT reach a target byte for byte, and the log shows their scheme", async ({
  relay,
  receiver,
  endpoint,
}) => {
  const source = await createSource(relay, endpoint.url);
  await relay.createTarget(receiver);
  const metadata = { job: "j-1", nested: { n: 1 } };
  const signed = [
    signWebhookByV1a(ed25519),
    await signByJwt({ user_metadata: metadata }, JSON.stringify(JSON.parse(geminiEvent()), null, 2)),
  ] as const;
  for (const each of signed)
    expect(await relay.send(each, source.path)).toMatchObject({ status: 200, body: { webhook_id: each.webhookId } });
  const requests = await receiver.waitFor(2);
  for (const { webhookId, body } of signed) {
    expect(requests.find(({ headers }) => headers["webhook-id"] === webhookId)?.body).toEqual(body);
  }
  expect(await findEvent(relay, signed[0].webhookId)).toMatchObject({
    source: source.id,
    scheme: "v1a",
    labels: {},
    body_unbound: false,
  });
  expect(await findEvent(relay, signed[1].webhookId)).toMatchObject({
    source: source.id,
    scheme: "jwt",
    user_metadata: metadata,
  });
  // A retry of Gemini is the same event.
  expect((await relay.send(signed[0], source.path)).status).toBe(200);
  expect((await relay.call("GET", `/v1/events?webhook_id=${signed[0].webhookId}`)).data).toHaveLength(1);
});

test("a JWT that holds the event needs no body, no id and no timestamp in the request", async ({
  relay,
  receiver,
  endpoint,
}) => {
  const source = await createSource(relay, endpoint.url);
  await relay.createTarget(receiver);
  const jti = `jti_${randomUUID()}`;
  const body = geminiEvent("video.generated", { id: "v", file_name: "files/1" });
  const signed = await signByJwt({ jti }, body);
  const headers = { "webhook-signature": `Bearer ${signed.headers["webhook-signature"]}` };
  expect((await relay.send({ ...signed, headers, body: Buffer.alloc(0) }, source.path)).status).toBe(200);
  const [request] = await receiver.waitFor(1);
  expect(request?.headers["webhook-id"]).toBe(jti);
  expect(JSON.parse(String(request?.body))).toEqual(JSON.parse(body));
  expect(await findEvent(relay, jti)).toMatchObject({ type: "video.generated", scheme: "jwt" });
});

test("a body that its JWT does not bind is refused, or marked when the source is set to mark it", async ({
  relay,
  endpoint,
}) => {
  const [strict, lenient] = [
    await createSource(relay, endpoint.url),
    await createSource(relay, endpoint.url, { body_unbound: "mark" }),
  ];
  const signed = await signByJwt({ event: undefined });
  expect(await relay.send(signed, strict.path)).toMatchObject({ status: 400, body: { reason: "body_unbound" } });
  expect((await relay.send(signed, lenient.path)).status).toBe(200);
  expect(await findEvent(relay, signed.webhookId)).toMatchObject({ source: lenient.id, body_unbound: true });
  const changed = { ...(await signByJwt()), body: Buffer.from(geminiEvent("batch.failed")) };
  for (const source of [strict, lenient]) {
    expect(await relay.send(changed, source.path)).toMatchObject({ status: 400, body: { reason: "body_mismatch" } });
  }
});

test("targets and their filters can tell that the signature does not cover the body, in each attempt", async ({
  relay,
  endpoint,
  receiver,
}) => {
  const source = await createSource(relay, endpoint.url, { body_unbound: "mark" });
  await relay.createTarget(receiver, {
    filter: `event.body_unbound && source == "${source.name}"`,
    retry: QUICK_RETRY,
  });
  receiver.answerWith((_, index) => ({ status: index === 0 ? 500 : 200 }));
  expect((await relay.send(await signByJwt(), source.path)).status).toBe(200);
  const unbound = await signByJwt({ event: undefined });
  expect((await relay.send(unbound, source.path)).status).toBe(200);
  const requests = await receiver.waitFor(2);
  const seen = requests.map(({ headers }) => [headers["webhook-id"], headers["sluice-body-unbound"]]);
  expect(seen).toEqual([
    [unbound.webhookId, "true"],
    [unbound.webhookId, "true"],
  ]);
});

test("without its ingress token, or with a wrong one, a dynamic source is a 404 whatever is sent to it", async ({
  relay,
  endpoint,
}) => {
  const source = await createSource(relay, endpoint.url);
  const another = await createSource(relay, endpoint.url);
  const callback = await createCallback(relay, another);
  const fetchesBefore = endpoint.fetches;
  const nowhere = await relay.send(signWebhookByV1a(ed25519), "no-such-source");
  expect(nowhere.status).toBe(404);
  for (const path of [
    source.name,
    `${source.name}/guess`,
    `${source.name}/${source.token.slice(0, -1)}`,
    `${source.name}/${source.token}x`,
    `${source.name}/${another.token}`,
    `${source.name}/${callback.slice(callback.indexOf("/") + 1)}`,
    `gemini/${source.token}`,
    "no-such-source/token",
  ]) {
    for (const webhook of [
      signWebhookByV1a(ed25519),
      signWebhookByV1a(stranger),
      signWebhook({ secret: relay.secret, body: "{}" }),
    ]) {
      const answer = await relay.send(webhook, path);
      expect([answer.status, comparable(answer.body)], path).toEqual([404, comparable(nowhere.body)]);
    }
  }
  // The cost of a request tells nothing either: without a token, the keys are not fetched.
  expect(endpoint.fetches).toBe(fetchesBefore);
  expect(await findRejections(relay, source, "missing_token", 3)).toMatchObject([{ reason: "missing_token" }, {}, {}]);
  expect((await findRejections(relay, source, "unknown_token")).length).toBeGreaterThan(0);
});

/** An answer without the fields that differ in every answer. */
function comparable(body: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(body).filter(([name]) => name !== "instance" && name !== "request_id"));
}

test("a static event at a dynamic source is refused, and the reverse", async ({ relay, endpoint }) => {
  const source = await createSource(relay, endpoint.url);
  const unaccepted = { status: 400, body: { code: "verification_failed", reason: "unaccepted_scheme" } };
  expect(await relay.send(signWebhook({ secret: relay.secret, body: geminiEvent() }), source.path)).toMatchObject(
    unaccepted,
  );
  for (const dynamic of [signWebhookByV1a(ed25519), await signByJwt()]) {
    expect(await relay.send(dynamic, "gemini")).toMatchObject(unaccepted);
    const signature = `v1,${dynamic.headers["webhook-signature"]}`;
    const relabelled = { ...dynamic, headers: { ...dynamic.headers, "webhook-signature": signature } };
    expect((await relay.send(relabelled, "gemini")).status).toBe(400);
  }
  expect(await findRejections(relay, source, "unaccepted_scheme")).toHaveLength(1);
});

test("a refused request is recorded with its reason, and no record or log line holds a token or a signature", async ({
  relay,
  endpoint,
}) => {
  const source = await createSource(relay, endpoint.url);
  const callback = await createCallback(relay, source);
  const forged = signWebhookByV1a(stranger);
  const wrongAudience = await signByJwt({ aud: "https://other.example" });
  const good = signWebhookByV1a(ed25519);
  expect(await relay.send(forged, source.path)).toMatchObject({ status: 400, body: { reason: "signature_mismatch" } });
  expect(await relay.send(wrongAudience, callback)).toMatchObject({ status: 400, body: { reason: "wrong_audience" } });
  expect((await relay.send(good, callback)).status).toBe(200);
  expect(await findRejections(relay, source, "signature_mismatch")).toMatchObject([
    {
      source: source.id,
      webhook_id: forged.webhookId,
      remote_address: expect.stringContaining("127.0.0.1"),
      size_bytes: forged.body.length,
      count: 1,
    },
  ]);
  const recorded = await findRejections(relay, source, "wrong_audience");
  const everything = JSON.stringify(recorded) + relay.logLines.join("");
  expect(everything).toContain(wrongAudience.webhookId);
  for (const { headers } of [forged, wrongAudience, good])
    expect(everything).not.toContain(headers["webhook-signature"]);
  for (const secret of [source.token, callback.slice(callback.indexOf("/") + 1)])
    expect(everything).not.toContain(secret);
});

const under = (signed: SignedWebhook, webhookId: string) => ({
  ...signed,
  webhookId,
  headers: { ...signed.headers, "webhook-id": webhookId },
});

test("a captured JWT proves the webhook id that it came with first, and no other", async ({
  relay,
  receiver,
  endpoint,
}) => {
  const source = await createSource(relay, endpoint.url);
  await relay.createTarget(receiver);
  const first = await signByJwt({ jti: `jti_${randomUUID()}` });
  expect((await relay.send(first, source.path)).status).toBe(200);
  await findEvent(relay, first.webhookId);
  expect(await relay.send(under(first, "msg_replayed"), source.path)).toMatchObject({
    status: 400,
    body: { reason: "spent_token" },
  });
  // A retry of the webhook itself is a duplicate, as ever.
  expect((await relay.send(first, source.path)).status).toBe(200);

  // Many at once: the ingress may not know yet, and the worker decides.
  const second = await signByJwt();
  const ids = Array.from({ length: 20 }, (_, index) => `msg_many_${index}`);
  await Promise.all(ids.map((id) => relay.send(under(second, id), source.path)));
  expect(await findRejections(relay, source, "spent_token", 20)).toHaveLength(20);
  const { data } = await relay.call("GET", `/v1/events?source=${source.id}`);
  expect(data).toHaveLength(2);
  await receiver.waitFor(2);
  expect(receiver.requests).toHaveLength(2);
});

test("a callback URL accepts verified events, which get its labels", async ({ relay, receiver, endpoint }) => {
  const source = await createSource(relay, endpoint.url);
  await relay.createTarget(receiver);
  const path = await createCallback(relay, source);
  const signed = [signWebhookByV1a(ed25519), await signByJwt()];
  for (const each of signed) expect((await relay.send(each, path)).status).toBe(200);
  await receiver.waitFor(2);
  for (const { webhookId } of signed) {
    expect(await findEvent(relay, webhookId)).toMatchObject({ labels: { job: "nightly", customer: "42" } });
  }
  const labelled = await relay.call("GET", `/v1/events?source=${source.id}&label=job:nightly`);
  expect(labelled.data).toHaveLength(2);
  // An event at a callback URL is verified like every other event.
  expect(await relay.send(signWebhookByV1a(stranger), path)).toMatchObject({
    status: 400,
    body: { reason: "signature_mismatch" },
  });
});

test("a single-use callback URL accepts its first webhook and the retries of that one, and no other", async ({
  relay,
  endpoint,
}) => {
  const source = await createSource(relay, endpoint.url);
  const path = await createCallback(relay, source, { single_use: true });
  // A refused webhook does not use the URL up.
  expect((await relay.send(signWebhookByV1a(stranger), path)).status).toBe(400);
  const rivals = Array.from({ length: 10 }, () => signWebhookByV1a(ed25519));
  const answers = await Promise.all(rivals.map((rival) => relay.send(rival, path)));
  const winners = rivals.filter((_, index) => answers[index]?.status === 200);
  expect(winners).toHaveLength(1);
  const consumed = { status: 400, body: { code: "verification_failed", reason: "consumed_token" } };
  for (const [index, answer] of answers.entries()) {
    if (rivals[index] !== winners[0]) expect(answer).toMatchObject(consumed);
  }
  for (const winner of winners) expect((await relay.send(winner, path)).status).toBe(200);
  expect(await relay.send(signWebhookByV1a(ed25519), path)).toMatchObject(consumed);
  for (const { webhookId } of winners) await findEvent(relay, webhookId);
  expect((await relay.call("GET", `/v1/events?source=${source.id}`)).data).toHaveLength(1);
});

test("a callback URL that has expired, was changed, or belongs to another source accepts nothing", async ({
  relay,
  endpoint,
}) => {
  const [source, another] = [await createSource(relay, endpoint.url), await createSource(relay, endpoint.url)];
  const path = await createCallback(relay, source);
  const token = path.slice(path.indexOf("/") + 1);
  const key = relay.masterKey.deriveKey(CALLBACK_KEY_PURPOSE);
  const minted = readCallbackToken(key, token);
  if (minted === undefined) throw new Error("The relay's own token is not read");
  const expired = mintCallbackToken(key, { ...minted, expiresAtMs: Date.now() - 1 });
  expect(await relay.send(signWebhookByV1a(ed25519), `${source.name}/${expired}`)).toMatchObject({
    status: 400,
    body: { reason: "expired_token" },
  });
  expect(await findRejections(relay, source, "expired_token")).toHaveLength(1);

  const [payload = "", mac = ""] = token.split(".");
  const relabelled = JSON.stringify([minted.id, minted.sourceId, minted.expiresAtMs + 1e9, 0, { job: "other" }]);
  for (const changed of [
    `cb_${Buffer.from(relabelled).toString("base64url")}.${mac}`,
    `${payload}.${mac.slice(0, -1)}`,
    `${payload}.`,
    payload,
    `${payload}.${mac}.`,
    token.toUpperCase(),
  ]) {
    expect((await relay.send(signWebhookByV1a(ed25519), `${source.name}/${changed}`)).status, changed).toBe(404);
  }
  expect((await relay.send(signWebhookByV1a(ed25519), `${another.name}/${token}`)).status).toBe(404);
  expect((await relay.send(signWebhookByV1a(ed25519), `gemini/${token}`)).status).toBe(404);
  expect((await relay.send(signWebhookByV1a(ed25519), path)).status).toBe(200);
});

test("before the keys were ever fetched, an event is a 503 with Retry-After and is not recorded as rejected", async ({
  relay,
}) => {
  const endpoint = await startJwksServer(ed25519.jwk);
  onTestFinished(() => endpoint.stop());
  await endpoint.stop();
  const source = await createSource(relay, endpoint.url);
  const signed = signWebhookByV1a(ed25519);
  const answer = await relay.send(signed, source.path);
  expect(answer).toMatchObject({ status: 503, body: { code: "unavailable" } });
  expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
  await endpoint.start();
  await until(() => relay.send(signed, source.path), { accept: ({ status }) => status === 200, timeoutMs: 30_000 });
  expect((await relay.call("GET", `/v1/rejections?source=${source.id}`)).data).toEqual([]);
});

test("a gateway that starts with the endpoint down uses the stored keys, and refuses nothing of a rotation", async ({
  relay,
}) => {
  const next = newEd25519Key("ed-2");
  const endpoint = await startJwksServer(ed25519.jwk, rsa.jwk);
  onTestFinished(() => endpoint.stop());
  const source = await createSource(relay, endpoint.url);
  expect((await relay.send(signWebhookByV1a(ed25519), source.path)).status).toBe(200);
  await until(() => relay.database.db.pool.query("SELECT FROM key_sets WHERE uri = $1", [endpoint.url]), {
    accept: ({ rowCount }) => rowCount === 1,
  });
  const startAnother = async () => {
    const gateway = await relay.startGateway();
    onTestFinished(() => gateway.stop());
    return async (signed: SignedWebhook) => (await postWebhook(gateway.ingressUrl, signed, source.path)).status;
  };

  await endpoint.stop();
  const sendWhileDown = await startAnother();
  expect(await sendWhileDown(signWebhookByV1a(ed25519))).toBe(200);
  expect(await sendWhileDown(await signByJwt())).toBe(200);
  expect(await sendWhileDown(signWebhookByV1a(stranger))).toBe(400);

  await endpoint.start();
  endpoint.publish(ed25519.jwk, next.jwk);
  const fetchesBefore = endpoint.fetches;
  const sendAfter = await startAnother();
  const keys = Array.from({ length: 200 }, (_, index) => (index % 2 === 0 ? ed25519 : next));
  const answers = await Promise.all(keys.map((key) => sendAfter(signWebhookByV1a(key))));
  expect(answers.filter((status) => status !== 200)).toEqual([]);
  expect(endpoint.fetches).toBe(fetchesBefore + 1);
});
