// `sluice verify` over captured requests: for each reason for which the relay refuses a webhook, the command names the same one.

import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { newId } from "@sluice/shared/domain/ids";
import { CALLBACK_KEY_PURPOSE, mintCallbackToken } from "@sluice/signature/callback-token";
import { REFUSAL_REASONS, type RefusalReason } from "@sluice/signature/refusal";
import { generateSigningSecret } from "@sluice/signature/secret";
import { insertRejections } from "@sluice/store/log/rejections";
import { parseId } from "@sluice/shared/domain/ids";
import { describe, expect, onTestFinished } from "vitest";

import { startJwksServer } from "./support/jwks-server.ts";
import { type Relay, test as relayTest } from "./support/relay.ts";
import { runSluice } from "./support/run-sluice.ts";
import { signWebhookByJwt, signWebhookByV1a } from "./support/sign-dynamic.ts";
import { geminiEvent, type SignedWebhook, signWebhook } from "./support/sign.ts";
import { newEd25519Key, newRsaKey } from "./support/signing/test-webhooks.ts";
import { until } from "./support/wait.ts";

const AUDIENCE = "https://relay.example/in/dynamic";
const [ed25519, rsa] = [newEd25519Key("ed-1"), newRsaKey("rsa-1")];
const DAY = 86_400;
const nowSeconds = () => Math.floor(Date.now() / 1000);

// oxlint-disable-next-line no-empty-pattern -- vitest reads what a fixture depends on off this pattern.
const test = relayTest.extend("endpoint", { scope: "file" }, async ({}, { onCleanup }) => {
  const endpoint = await startJwksServer(ed25519.jwk, rsa.jwk);
  onCleanup(() => endpoint.stop());
  return endpoint;
});

interface Place {
  relay: Relay;
  source: { id: string; name: string; path: string };
}

interface Captured {
  /** The path under `/in/`. */
  path: string;
  signed: SignedWebhook;
  /** Whether the ingress of the test cannot be sent this request as it is. */
  isOnlyCaptured?: boolean;
}

const signByJwt = (claims: object = {}, key = rsa) =>
  signWebhookByJwt(key, { aud: AUDIENCE, iss: "google", ...claims });

const withHeaders = (signed: SignedWebhook, changes: Record<string, string | undefined>): SignedWebhook => ({
  ...signed,
  headers: Object.fromEntries(
    Object.entries({ ...signed.headers, ...changes }).filter(
      (entry): entry is [string, string] => entry[1] !== undefined,
    ),
  ),
});

const statically = ({ relay }: Place, changes: object = {}) =>
  signWebhook({ secret: relay.secret, body: geminiEvent(), ...changes });

const atGemini = (signed: SignedWebhook): Captured => ({ path: "gemini", signed });
const atSource = ({ source }: Place, signed: SignedWebhook): Captured => ({ path: source.path, signed });

async function callbackPath({ relay, source }: Place, settings: object): Promise<string> {
  const given = { labels: {}, expires_in_seconds: 600, ...settings };
  const { ingress_path: path } = await relay.call("POST", `/v1/sources/${source.id}/callback-urls`, given);
  return path.slice("/in/".length);
}

const findEvent = (relay: Relay, webhookId: string) =>
  until(async () => (await relay.call("GET", `/v1/events?webhook_id=${webhookId}`)).data[0], { what: "the event" });

/** For each reason a request that the relay refuses for it. `no_secret` needs a relay of its own. */
const CASES: Record<Exclude<RefusalReason, "no_secret">, (place: Place) => Promise<Captured> | Captured> = {
  missing_token: ({ source }) => ({ path: source.name, signed: signWebhookByV1a(ed25519) }),
  unknown_token: ({ source }) => ({ path: `${source.name}/it_unknown`, signed: signWebhookByV1a(ed25519) }),
  expired_token: (place) => {
    const key = place.relay.masterKey.deriveKey(CALLBACK_KEY_PURPOSE);
    const sourceId = parseId("src", place.source.id, "id");
    const callback = { id: randomUUID(), sourceId, labels: {}, expiresAtMs: Date.now() - 1, singleUse: false };
    return { path: `${place.source.name}/${mintCallbackToken(key, callback)}`, signed: signWebhookByV1a(ed25519) };
  },
  consumed_token: async (place) => {
    const path = await callbackPath(place, { single_use: true });
    expect((await place.relay.send(signWebhookByV1a(ed25519), path)).status).toBe(200);
    return { path, signed: signWebhookByV1a(ed25519) };
  },
  too_large: (place) => ({
    ...atGemini(statically(place, { body: "x".repeat(1024 * 1024 + 1) })),
    isOnlyCaptured: true,
  }),
  body_interrupted: (place) => ({
    ...atGemini(withHeaders(statically(place), { "content-length": "4096" })),
    isOnlyCaptured: true,
  }),
  missing_header: (place) => atGemini(withHeaders(statically(place), { "webhook-id": undefined })),
  malformed_header: (place) => atGemini(withHeaders(statically(place), { "webhook-id": "with.a.dot" })),
  malformed_signature: (place) => atGemini(withHeaders(statically(place), { "webhook-signature": "nothing" })),
  unaccepted_scheme: (place) => atGemini(withHeaders(statically(place), { "webhook-signature": "v1a,AAAA" })),
  unaccepted_algorithm: async (place) => {
    const header = Buffer.from('{"alg":"none"}').toString("base64url");
    const payload = (await signByJwt()).headers["webhook-signature"]?.split(".")[1];
    return atSource(place, withHeaders(await signByJwt(), { "webhook-signature": `${header}.${payload}.AAAA` }));
  },
  stale_timestamp: (place) => atGemini(statically(place, { timestamp: nowSeconds() - 400 })),
  future_timestamp: (place) => atGemini(statically(place, { timestamp: nowSeconds() + 3_000 })),
  unknown_key: async (place) => atSource(place, await signByJwt({}, newRsaKey("rsa-2"))),
  signature_mismatch: (place) => atGemini(statically(place, { secret: generateSigningSecret().text })),
  wrong_audience: async (place) => atSource(place, await signByJwt({ aud: "https://other.example" })),
  wrong_issuer: async (place) => atSource(place, await signByJwt({ iss: "somebody" })),
  wrong_token_type: async (place) => {
    const { id } = place.source;
    await place.relay.call("PATCH", `/v1/sources/${id}`, { token_types: ["webhook+jwt"] });
    onTestFinished(() => place.relay.call("PATCH", `/v1/sources/${id}`, { token_types: [] }));
    return atSource(place, await signByJwt());
  },
  excessive_lifetime: async (place) => atSource(place, await signByJwt({ exp: nowSeconds() + DAY })),
  spent_token: async (place) => {
    const first = await signByJwt({ jti: `jti_${randomUUID()}` });
    expect((await place.relay.send(first, place.source.path)).status).toBe(200);
    await findEvent(place.relay, first.webhookId);
    return atSource(place, withHeaders(first, { "webhook-id": `msg_${randomUUID()}` }));
  },
  body_mismatch: async (place) =>
    atSource(place, { ...(await signByJwt()), body: Buffer.from(geminiEvent("batch.failed")) }),
  body_unbound: async (place) => atSource(place, await signByJwt({ event: undefined })),
  reconciled_before: async (place) => {
    const signed = statically(place);
    const { data } = await place.relay.call("GET", "/v1/sources?name=gemini");
    const rejection = {
      reason: "reconciled_before",
      detail: "made before",
      remoteAddress: null,
      sizeBytes: null,
    } as const;
    await insertRejections(place.relay.database.db, [
      { ...rejection, id: newId(), sourceId: parseId("src", data[0].id, "id"), webhookId: signed.webhookId, weight: 1 },
    ]);
    // The sender got a 200.
    return { ...atGemini(signed), isOnlyCaptured: true };
  },
};

const ALL = Object.keys(CASES) as (keyof typeof CASES)[];

function toHttp({ path, signed }: Captured): Buffer {
  const headers = { host: "relay.example", "content-length": String(signed.body.length), ...signed.headers };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.concat([Buffer.from(`POST /in/${path} HTTP/1.1\r\n${lines.join("")}\r\n`), signed.body]);
}

/** Writes the request to a file, as whoever captures it does. */
function capture(captured: Captured): string {
  const directory = mkdtempSync(join(tmpdir(), "sluice-captured-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const file = join(directory, "request.http");
  writeFileSync(file, toHttp(captured));
  return file;
}

async function verify(relay: Relay, args: readonly string[]) {
  const env = { SLUICE_API: relay.apiUrl, SLUICE_API_KEY: relay.apiKey };
  const { code, out, err } = await runSluice(["verify", ...args, "--json"], { env });
  return { code, err, answer: out.length === 0 ? undefined : JSON.parse(out.toString()) };
}

describe("by a source of the relay", () => {
  let place: Place | undefined;

  test("every reason has a request", () => {
    expect([...ALL, "no_secret"].toSorted()).toEqual([...REFUSAL_REASONS].toSorted());
  });

  test.for(ALL)("%s is what the ingress says, and the command", async (reason, { relay, endpoint }) => {
    if (place === undefined) {
      const name = `dynamic-${randomUUID().slice(0, 8)}`;
      const settings = { name, kind: "dynamic", jwks_uri: endpoint.url, audiences: [AUDIENCE], issuers: ["google"] };
      const { id, new_ingress_token: token } = await relay.call("POST", "/v1/sources", settings);
      place = { relay, source: { id, name, path: `${name}/${token}` } };
    }
    const captured = await CASES[reason](place);
    if (captured.isOnlyCaptured !== true) {
      const { status } = await relay.send(captured.signed, captured.path);
      expect(status).toBeGreaterThanOrEqual(400);
      const list = () => relay.call("GET", `/v1/rejections?reason=${reason}`);
      await until(async () => (await list()).data.length > 0, { what: `a rejection for ${reason}` });
    }
    const { code, answer, err } = await verify(relay, [capture(captured)]);
    expect(answer, err).toMatchObject({
      verdict: "refused",
      reason,
      detail: expect.stringMatching(/./),
      advice: expect.stringMatching(/./),
    });
    expect(code).toBe(1);
    if (reason === "stale_timestamp" || reason === "future_timestamp")
      expect(answer.at_its_time).toMatchObject({ verdict: "accepted", scheme: "v1" });
  });

  test("a good request is accepted by its scheme, and takes nothing in", async ({ relay, endpoint }) => {
    const name = `dynamic-${randomUUID().slice(0, 8)}`;
    const settings = { name, kind: "dynamic", jwks_uri: endpoint.url, audiences: [AUDIENCE] };
    const { id, new_ingress_token: token } = await relay.call("POST", "/v1/sources", settings);
    const path = await callbackPath({ relay, source: { id, name, path: "" } }, { single_use: true });
    const byJwt = await signByJwt();
    for (const [captured, scheme] of [
      [{ path: "gemini", signed: signWebhook({ secret: relay.secret, body: geminiEvent() }) }, "v1"],
      [{ path: `${name}/${token}`, signed: signWebhookByV1a(ed25519) }, "v1a"],
      [{ path, signed: byJwt }, "jwt"],
    ] as const) {
      const { code, answer } = await verify(relay, [capture(captured)]);
      expect({ code, answer }).toMatchObject({ code: 0, answer: { verdict: "accepted", scheme } });
      expect(answer.webhook_id).toBe(captured.signed.webhookId);
    }
    // The single-use URL is still good, and nothing was stored.
    expect((await relay.call("GET", `/v1/events?source=${id}`)).data).toEqual([]);
    expect((await relay.send(byJwt, path)).status).toBe(200);
  });

  test("no_secret: a source that has no secret any more", async ({ relay }) => {
    const name = `static-${randomUUID().slice(0, 8)}`;
    const { id } = await relay.call("POST", "/v1/sources", { name, kind: "static" });
    await relay.database.db.pool.query("DELETE FROM source_secrets WHERE source_id = $1", [parseId("src", id, "id")]);
    // The gateway loads its sources again.
    await relay.call("PATCH", `/v1/sources/${id}`, { tolerance_seconds: 301 });
    const signed = signWebhook({ secret: relay.secret, body: geminiEvent() });
    const { code, answer } = await verify(relay, [capture({ path: name, signed })]);
    expect({ code, answer }).toMatchObject({ code: 1, answer: { verdict: "refused", reason: "no_secret" } });
  });

  test("a source that does not exist, a wrong key and a relay that is away have their exit codes", async ({
    relay,
  }) => {
    const file = capture({ path: "nowhere", signed: signWebhook({ secret: relay.secret, body: geminiEvent() }) });
    expect(await verify(relay, [file])).toMatchObject({ code: 5, answer: undefined });
    expect(await verify({ ...relay, apiKey: "x".repeat(40) }, [file])).toMatchObject({ code: 4, answer: undefined });
    expect(await verify({ ...relay, apiUrl: "http://127.0.0.1:9" }, [file])).toMatchObject({
      code: 6,
      answer: undefined,
    });
  });
});
