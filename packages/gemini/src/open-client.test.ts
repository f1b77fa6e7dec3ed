// The SDK as the relay opens it, against a server that records what arrives and answers as the test says.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { text } from "node:stream/consumers";

import { describe, expect, onTestFinished, test } from "vitest";

import { Secret } from "@sluice/shared/settings/secret";

import { listenOnLoopback } from "../../../tests/support/listen.ts";
import { claimPort } from "../../../tests/support/ports.ts";
import { GeminiFailure, type GeminiFailureKind, toGeminiFailure } from "./failure.ts";
import { openGeminiClient } from "./open-client.ts";
import { type GeminiWebhooks, openGeminiWebhooks } from "./webhooks.ts";

const KEY = "AIzaSy-key-of-this-test-0123456789";
const ID = "k0h9q38f6ejj1g9j7cgcdsauadmbewegl79f";
const WEBHOOK = { id: ID, uri: "https://a.example/in/gemini", subscribed_events: ["batch.failed"], state: "enabled" };

type Script = (request: IncomingMessage, response: ServerResponse) => void;

interface Recorded {
  method: string;
  path: string;
  key: string | undefined;
  body: string;
}

/** Starts a server for this test. @returns its URL, and what arrived. */
async function record(script: Script): Promise<{ baseUrl: string; requests: Recorded[] }> {
  const requests: Recorded[] = [];
  const server = createServer((request, response) => {
    const take = async () => {
      const { method = "", url: path = "", headers } = request;
      requests.push({ method, path, key: headers["x-goog-api-key"] as string | undefined, body: await text(request) });
      script(request, response);
    };
    take().catch(() => request.destroy());
  });
  const port = await listenOnLoopback(server);
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { baseUrl: `http://127.0.0.1:${port}`, requests };
}

const json = (status: number, body: unknown, headers = {}): Script => {
  return (_, response) =>
    void response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
};
const cut: Script = (request) => request.socket.destroy();
const error = (code: number, message: string) => ({ error: { code, message, status: "X" } });

const spend = async () => true;
const open = (baseUrl: string) => openGeminiWebhooks(new Secret(KEY), { baseUrl, spend });

async function failureOf(work: Promise<unknown>): Promise<GeminiFailure> {
  const thrown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (thrown instanceof GeminiFailure) return thrown;
  throw new Error("There was no GeminiFailure", { cause: thrown });
}

const CALLS: [string, (webhooks: GeminiWebhooks) => Promise<unknown>][] = [
  ["list", (webhooks) => webhooks.listByUri("https://a.example/")],
  [
    "create",
    (webhooks) => webhooks.create({ name: "n", uri: "https://a.example/", subscribedEvents: ["batch.failed"] }),
  ],
  ["get", (webhooks) => webhooks.get(ID)],
  ["update", (webhooks) => webhooks.update(ID, { state: "enabled" })],
  ["rotateSigningSecret", (webhooks) => webhooks.rotate(ID)],
  ["ping", (webhooks) => webhooks.ping(ID)],
  ["delete", (webhooks) => webhooks.delete(ID)],
];

const ANSWERS: [string, Script, GeminiFailureKind][] = [
  ["400", json(400, error(400, "The uri is bad.")), "refused"],
  [
    "400 for a key that is none",
    json(400, error(400, "API key not valid. Please pass a valid API key.")),
    "unauthorized",
  ],
  ["400 with a code that is a string", json(400, { error: { message: "No.", code: "invalid_request" } }), "refused"],
  ["401", json(401, error(401, "No such key.")), "unauthorized"],
  ["403", json(403, error(403, "Not allowed.")), "forbidden"],
  ["404", json(404, error(404, "Not there.")), "not_found"],
  ["408", json(408, error(408, "Slow.")), "unavailable"],
  ["409", json(409, error(409, "Aborted.")), "unavailable"],
  ["429", json(429, error(429, "Quota."), { "retry-after": "0" }), "rate_limited"],
  ["500", json(500, error(500, "Internal.")), "unavailable"],
  ["503 without JSON", (_, response) => void response.writeHead(503).end("<html>down</html>"), "unavailable"],
  ["a lost connection", cut, "unreachable"],
  [
    "an answer that is cut",
    (_, response) => {
      response.writeHead(200, { "content-type": "application/json", "content-length": "1000" }).write('{"id": "');
      setImmediate(() => response.destroy());
    },
    "unreachable",
  ],
];

describe.each(ANSWERS)("%s", (_, script, kind) => {
  test.each(CALLS)(`fails webhooks.%s as ${kind}, after one request`, async (name, call) => {
    const { baseUrl, requests } = await record(script);
    const failure = await failureOf(call(await open(baseUrl)));
    expect(failure.kind).toBe(kind);
    expect(failure.message).toMatch(new RegExp(`^webhooks\\.${name}: .+\\(.+\\)$`));
    // A second request may make a second secret.
    expect(requests).toHaveLength(1);
    expect(requests[0]?.key).toBe(KEY);
  });
});

test("a redirect is not followed, because it would take the key along", async () => {
  const elsewhere = await record(json(200, WEBHOOK));
  const { baseUrl, requests } = await record((_, response) =>
    response.writeHead(307, { location: `${elsewhere.baseUrl}/v1/webhooks` }).end(),
  );
  for (const [, call] of CALLS) await failureOf(call(await open(baseUrl)));
  expect(requests).toHaveLength(CALLS.length);
  expect(elsewhere.requests).toEqual([]);
});

test("a server that nobody reaches is named, and so is what to check", async () => {
  const failure = await failureOf((await open(`http://127.0.0.1:${await claimPort()}`)).get(ID));
  expect(failure).toMatchObject({ kind: "unreachable", status: undefined });
  expect(failure.message).toContain("ECONNREFUSED");
  expect(failure.message).toContain("GEMINI_BASE_URL");
});

test("the sentence of Google is in the message as it was meant, and the key is not", async () => {
  const message = `Key "${KEY}" of\nproject 7 is\u0000 not allowed. ${"x".repeat(5_000)}`;
  const { baseUrl } = await record(json(403, error(403, message)));
  const failure = await failureOf((await open(baseUrl)).get(ID));
  expect(failure.message).toContain('HTTP 403 Key "[key]" of project 7 is not allowed. xxx');
  expect(failure.message.length).toBeLessThan(500);
  expect(JSON.stringify(failure, Object.getOwnPropertyNames(failure))).not.toContain(KEY);
});

test("a key that no header can hold fails without being shown", async () => {
  const { baseUrl, requests } = await record(json(200, WEBHOOK));
  const key = "key\nof ü two lines";
  const webhooks = await openGeminiWebhooks(new Secret(key), { baseUrl, spend });
  const failure = await failureOf(webhooks.get(ID));
  expect(failure.message).not.toContain("two lines");
  expect(requests).toEqual([]);
});

test("batches are sent once, too", async () => {
  for (const script of [json(500, error(500, "Internal.")), json(429, error(429, "Quota.")), cut]) {
    const { baseUrl, requests } = await record(script);
    const client = await openGeminiClient(new Secret(KEY), { baseUrl, spend });
    const failed = await client.batches.list({ config: { pageSize: 10 } }).then(
      () => undefined,
      (reason: unknown) => toGeminiFailure(reason, "batches.list", KEY),
    );
    expect(failed?.isPassing).toBe(true);
    expect(requests).toHaveLength(1);
  }
});

test("without a request left in the budget nothing is sent", async () => {
  const { baseUrl, requests } = await record(json(200, WEBHOOK));
  let left = 2;
  const webhooks = await openGeminiWebhooks(new Secret(KEY), { baseUrl, spend: async () => left-- > 0 });
  await webhooks.get(ID);
  await webhooks.ping(ID);
  expect(await failureOf(webhooks.rotate(ID))).toMatchObject({
    kind: "over_budget",
    isUncertain: false,
    isPassing: true,
  });
  expect(requests).toHaveLength(2);
});

test("a budget that cannot be read is no failure of Gemini", async () => {
  const { baseUrl, requests } = await record(json(200, WEBHOOK));
  const away = new Error("PostgreSQL is away");
  const webhooks = await openGeminiWebhooks(new Secret(KEY), { baseUrl, spend: () => Promise.reject(away) });
  await expect(webhooks.get(ID)).rejects.toBe(away);
  expect(requests).toEqual([]);
});

test("each call is the request that Gemini expects", async () => {
  const { baseUrl, requests } = await record((request, response) => {
    const secret = { ...WEBHOOK, new_signing_secret: "whsec_new", secret: "whsec_rotated" };
    json(200, request.method === "GET" && request.url?.includes("page_size") ? { webhooks: [WEBHOOK] } : secret)(
      request,
      response,
    );
  });
  const webhooks = await open(baseUrl);
  const shown = { id: ID, uri: WEBHOOK.uri, state: "enabled", subscribedEvents: ["batch.failed"], secrets: [] };
  expect(await webhooks.listByUri(WEBHOOK.uri)).toEqual([shown]);
  expect(await webhooks.listByUri("https://other.example/")).toEqual([]);
  const created = await webhooks.create({ name: "n", uri: WEBHOOK.uri, subscribedEvents: ["batch.failed"] });
  expect(created).toEqual({ webhook: shown, secret: "whsec_new" });
  expect(await webhooks.rotate(ID)).toBe("whsec_rotated");
  await webhooks.update(ID, { state: "enabled", subscribedEvents: ["video.generated"] });
  await webhooks.ping(ID);
  await webhooks.delete(ID);
  const sent = requests.map(({ method, path, body }) => [method, path.replace(/^\/v1(beta)?\//, ""), body]);
  expect(sent).toEqual([
    ["GET", "webhooks?page_size=1000", ""],
    ["GET", "webhooks?page_size=1000", ""],
    ["POST", "webhooks", JSON.stringify({ name: "n", uri: WEBHOOK.uri, subscribed_events: ["batch.failed"] })],
    ["POST", `webhooks/${ID}:rotateSigningSecret`, '{"revocation_behavior":"revoke_previous_secrets_after_h24"}'],
    ["PATCH", `webhooks/${ID}`, '{"state":"enabled","subscribed_events":["video.generated"]}'],
    ["POST", `webhooks/${ID}:ping`, expect.stringMatching(/^(\{\})?$/)],
    ["DELETE", `webhooks/${ID}`, ""],
  ]);
});

test("all pages of a list are read, and an endless list ends", async () => {
  const { baseUrl, requests } = await record((request, response) => {
    const token = new URL(request.url ?? "", "http://x").searchParams.get("page_token");
    const isLast = token === "2";
    json(200, { webhooks: isLast ? [WEBHOOK] : [], next_page_token: isLast ? undefined : String(Number(token) + 1) })(
      request,
      response,
    );
  });
  expect(await (await open(baseUrl)).listByUri(WEBHOOK.uri)).toHaveLength(1);
  expect(requests).toHaveLength(3);
  const endless = await record(json(200, { webhooks: [], next_page_token: "again" }));
  expect((await failureOf((await open(endless.baseUrl)).listByUri("x"))).message).toContain("pages");
  expect(endless.requests).toHaveLength(20);
});

test.each([
  ["no webhook", {}],
  ["the page of a proxy", "<html>Sign in</html>"],
  ["a list", []],
])("an answer that is %s is a failure, and no crash", async (_, body) => {
  const { baseUrl } = await record(json(200, body));
  const webhooks = await open(baseUrl);
  expect((await failureOf(webhooks.get(ID))).kind).toBe("unreachable");
  expect((await failureOf(webhooks.create({ name: "n", uri: "u", subscribedEvents: [] }))).isUncertain).toBe(true);
});
