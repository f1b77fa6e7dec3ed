// Tests what a sender can do to the public port with its connection, over real sockets: how much the ingress reads, for how
// long, and whether the answer arrives.

import { createSecretKey, randomBytes } from "node:crypto";

import { expect, onTestFinished, test, vi } from "vitest";

import { closeServer, listen } from "@sluice/shared/runtime/http-server";
import { openLog } from "@sluice/shared/runtime/log";
import { signV1 } from "@sluice/signature/signing/v1";
import type { Source } from "@sluice/store/configuration/sources";

import { openRaw, type RawConnection, sendRaw } from "../../../../tests/support/raw-request.ts";
import { until } from "../../../../tests/support/wait.ts";
import { openServer } from "../http/server.ts";
import { IngressMemory, limitIngressMemory } from "./ingress-memory.ts";
import { createIngress, type IngressDependencies } from "./ingress.ts";
import type { JwksCache } from "./jwks-cache.ts";
import { type BodyLimits, BodyReader } from "./read-body.ts";

const MIB = 1024 * 1024;
const MAX_BODY_BYTES = MIB;
const key = createSecretKey(randomBytes(32));

const source: Source = {
  id: "0198c0de-0000-7000-8000-000000000000",
  name: "gemini",
  kind: "static",
  schemes: ["v1"],
  toleranceSeconds: 300,
  hmacKeys: [{ key, expiresAtMs: undefined }],
  publicKeys: [],
  audiences: [],
  issuers: [],
  tokenTypes: [],
  maxTokenSeconds: 3_600,
  jwksUri: null,
  bodyUnbound: "reject",
  ingressTokens: [],
};

const silent = openLog("gateway", "fatal", { write: () => undefined });

const knowing = (known: Source) => ({
  find: (name: string) => (name === known.name ? known : undefined),
  findNewer: async () => undefined,
});

async function startIngress(limits: Partial<BodyLimits> = {}, changes: Partial<IngressDependencies> = {}) {
  const strays: string[] = [];
  const memory = limits.memory ?? limitIngressMemory(MAX_BODY_BYTES);
  const bodies = new BodyReader({ maxBytes: MAX_BODY_BYTES, maxCount: 1_000, ...limits, memory });
  const ingress = createIngress({
    sources: knowing(source),
    // A static source has no key set.
    keySets: undefined as unknown as JwksCache,
    callbackKey: key,
    consumeCallback: async () => true,
    findClientAddress: () => "192.0.2.1",
    isSpentToken: async () => false,
    enqueue: async () => undefined,
    onStray: (path) => void strays.push(path),
    onAnswered: () => undefined,
    readCaller: undefined,
    bodies,
    maxBodyBytes: MAX_BODY_BYTES,
    log: silent,
    ...changes,
  });
  // Long timeouts, so that they do not end the requests that these tests leave unfinished.
  const times = { headersTimeout: 300_000, requestTimeout: 300_000 };
  const { server } = openServer(ingress.fetch, silent, { answersContinue: true, limits: times });
  const url = await listen(server, { host: "127.0.0.1", port: 0 }, "PORT");
  onTestFinished(() => closeServer(server, 0));
  return { url, memory, strays };
}

async function open(url: string) {
  const connection = await openRaw(url);
  onTestFinished(connection.close);
  return connection;
}

/** The signature headers for a body. */
function sign(body: string): Record<string, string> {
  const timestamp = String(Math.floor(Date.now() / 1000));
  return {
    "webhook-id": "msg_1",
    "webhook-timestamp": timestamp,
    "webhook-signature": signV1(key, "msg_1", timestamp, Buffer.from(body)),
  };
}

function headOf(headers: Record<string, string>, path = "/in/gemini"): string {
  const lines = Object.entries({ host: "relay", ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  return `POST ${path} HTTP/1.1\r\n${lines.join("")}\r\n`;
}

const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;
const CHUNK = chunk("x".repeat(64 * 1024));

/** Waits for the headers and the body of a 503, which may arrive one after the other. */
async function expectUnavailable(connection: RawConnection | undefined) {
  await until(() => connection?.text().includes('"code":"unavailable"'));
  expect(connection?.text()).toMatch(/\r\nretry-after: 10\r\n/i);
  expect(connection?.text()).toMatch(/\r\nconnection: close\r\n/i);
}

test.for([
  ["missing_header", { "webhook-signature": "" }],
  ["missing_header", { "webhook-id": "" }],
  ["malformed_header", { "webhook-id": "a.b" }],
  ["malformed_header", { "webhook-timestamp": "yesterday" }],
  ["malformed_signature", { "webhook-signature": "?" }],
  ["stale_timestamp", { "webhook-timestamp": "1" }],
  ["future_timestamp", { "webhook-timestamp": "99999999999" }],
  ["unaccepted_scheme", { "webhook-signature": "v1a,AAAA" }],
] as const)("%s: refused before its body is read, %o", async ([reason, changes]) => {
  const { url, memory } = await startIngress();
  const connection = await open(url);
  await connection.write(headOf({ ...sign(""), ...changes, "content-length": String(MIB) }));
  await until(() => connection.text().includes(`"reason":"${reason}"`));
  expect(connection.text()).toMatch(/^HTTP\/1\.1 400 /);
  expect(connection.text()).toMatch(/\r\nconnection: close\r\n/i);
  expect(memory.heldBytes).toBe(0);
});

test("missing_header: refused before its body is read, without the id or the timestamp that v1 signs", async () => {
  const { url } = await startIngress();
  for (const missing of ["webhook-id", "webhook-timestamp"]) {
    const { [missing]: _, ...headers } = sign("");
    const connection = await open(url);
    await connection.write(headOf({ ...headers, "content-length": String(MIB) }));
    await until(() => connection.text().includes('"reason":"missing_header"'));
  }
});

test("unfinished bodies take no more memory than the limit, and webhooks are accepted all the while", async () => {
  const { url, memory } = await startIngress({ memory: new IngressMemory(4 * MIB) });
  const held: number[] = [];
  const connections = await Promise.all(Array.from({ length: 40 }, () => open(url)));
  for (const connection of connections) {
    void connection.write(headOf({ ...sign(""), "content-length": String(MIB) }));
    void connection.write("x".repeat(MIB - 1));
  }
  const refused = () => connections.filter((each) => each.text().startsWith("HTTP/1.1 503 "));
  await until(() => {
    held.push(memory.heldBytes);
    return refused().length >= 36;
  });
  expect(Math.max(...held)).toBeLessThanOrEqual(4 * MIB);
  await expectUnavailable(refused()[0]);
  for (let i = 0; i < 20; i++) {
    const chunks = ["{}"];
    const headers = { ...sign("{}"), "content-length": "2" };
    expect((await sendRaw(url, { path: "/in/gemini", headers, chunks })).status).toBe(200);
  }
  for (const connection of connections) connection.close();
  await until(() => memory.heldBytes, { accept: (bytes) => bytes === 0 });
});

test("no more unfinished bodies are read than allowed, and every webhook is accepted all the while", async () => {
  const { url, memory } = await startIngress({ maxCount: 10 });
  const connections = await Promise.all(Array.from({ length: 40 }, () => open(url)));
  const begin = headOf({ ...sign(""), "content-length": "1000" });
  await Promise.all(connections.map((connection) => connection.write(`${begin}x`)));
  const refused = () => connections.filter((each) => each.text().startsWith("HTTP/1.1 503 "));
  await until(() => refused().length === 30);
  await expectUnavailable(refused()[0]);
  for (let i = 0; i < 20; i++) {
    const crowd = await open(url);
    await crowd.write(begin);
    const request = { path: "/in/gemini", headers: { ...sign("{}"), "content-length": "2" }, chunks: ["{}"] };
    expect((await sendRaw(url, request)).status).toBe(200);
  }
  await until(() => refused().length >= 39);
  for (const connection of connections) connection.close();
  await until(() => memory.heldBytes, { accept: (bytes) => bytes === 0 });
});

test("the memory of a body in chunks of one byte counts with its overhead", async () => {
  const { url, memory } = await startIngress({ memory: new IngressMemory(4 * MIB) });
  const connection = await open(url);
  await connection.write(headOf({ ...sign(""), "transfer-encoding": "chunked" }));
  void connection.write(chunk("x").repeat(100_000));
  await until(() => connection.text().startsWith("HTTP/1.1 503 "));
  expect(memory.heldBytes).toBe(0);
});

test("a body counts until it is judged, and no longer", async () => {
  const { url, memory } = await startIngress();
  for (const headers of [sign("{}"), sign("other")]) {
    await sendRaw(url, { path: "/in/gemini", headers: { ...headers, "content-length": "2" }, chunks: ["{}"] });
  }
  expect(memory.heldBytes).toBe(0);
});

test("after a refusal with a small unread body the connection takes the next request", async () => {
  const { url } = await startIngress();
  const connection = await open(url);
  await connection.write(headOf({ "content-length": "1000" }));
  await until(() => connection.text().includes("missing_header"));
  await connection.write("x".repeat(1000) + headOf({ ...sign("{}"), "content-length": "2" }) + "{}");
  await until(() => connection.text().includes('"status":"received"'));
  expect(connection.isClosed()).toBe(false);
});

test.for([
  ["above the limit", () => headOf({ ...sign(""), "transfer-encoding": "chunked" })],
  ["with its length announced above the limit", () => headOf({ ...sign(""), "content-length": String(5 * MIB) })],
  ["to no source", () => headOf({ "transfer-encoding": "chunked" }, "/in/nobody")],
  ["to no path", () => headOf({ "transfer-encoding": "chunked" }, "/nothing")],
] as const)("the answer to a body %s reaches a sender that first sends all of it", async ([, head]) => {
  const { url } = await startIngress();
  // The ingress does not wait for a sender that is silent for a second. Fake timers, because this machine may stand still
  // for as long.
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  onTestFinished(() => void vi.useRealTimers());
  for (let i = 0; i < 10; i++) {
    const connection = await open(url);
    await connection.write(head());
    // This sender writes one chunk after the other until its connection is closed, if that happens.
    for (let sent = 0; sent < 64; sent++) {
      vi.advanceTimersByTime(1);
      await connection.write(CHUNK);
    }
    await until(() => {
      vi.advanceTimersByTime(1);
      return connection.failure() ?? connection.text().includes('"code"');
    });
    expect(connection.failure()).toBeUndefined();
    expect(connection.text()).toMatch(/^HTTP\/1\.1 4(13|04) /);
    expect(connection.text()).toMatch(/"code":"(payload_too_large|unknown_source|not_found)"/);
    connection.close();
  }
});

test("an endless body is read only up to a limit", async () => {
  const { url } = await startIngress();
  const connection = await open(url);
  await connection.write(headOf({ ...sign(""), "transfer-encoding": "chunked" }));
  let chunks = 0;
  for (; connection.failure() === undefined && chunks < 2_000; chunks++) await connection.write(CHUNK);
  // 16 MiB and the buffers of the kernel.
  expect(chunks).toBeLessThan(1_000);
});

test("Expect: 100-continue gets a 100 when the body is wanted, and only the refusal otherwise", async () => {
  const { url } = await startIngress();
  const expecting = { ...sign("{}"), expect: "100-continue" };
  const [good, large, stale] = [await open(url), await open(url), await open(url)];

  await good.write(headOf({ ...expecting, "content-length": "2" }));
  await until(() => good.text() === "HTTP/1.1 100 Continue\r\n\r\n");
  await good.write("{}");
  await until(() => good.text().includes("HTTP/1.1 200 "));

  await large.write(headOf({ ...expecting, "content-length": String(MAX_BODY_BYTES + 1) }));
  await until(() => large.text().includes("payload_too_large"));
  expect(large.text()).toMatch(/^HTTP\/1\.1 413 /);

  await stale.write(headOf({ ...expecting, "webhook-timestamp": "1", "content-length": "2" }));
  await until(() => stale.text().includes("stale_timestamp"));
  expect(stale.text()).toMatch(/^HTTP\/1\.1 400 /);
});

test.for(["/in/gemini/", "//in/gemini", "//in//gemini//"])("a slash too many: %s is /in/gemini", async (path) => {
  const { url, strays } = await startIngress();
  const answer = await sendRaw(url, { path, headers: { ...sign("{}"), "content-length": "2" }, chunks: ["{}"] });
  expect(answer.status).toBe(200);
  expect(strays).toEqual([]);
});

test("every POST that finds no source is told, with its path, and no other request", async () => {
  const { url, strays } = await startIngress();
  for (const path of ["/in/geminy", "/in/geminy/it_token", "/webhooks"]) {
    expect(
      (await sendRaw(url, { path, headers: { ...sign("{}"), "content-length": "2" }, chunks: ["{}"] })).status,
    ).toBe(404);
    await sendRaw(url, { method: "GET", path, headers: {}, chunks: [] });
  }
  expect(strays).toEqual(["/in/geminy", "/in/geminy/it_token", "/webhooks"]);
});

test("a source without a secret answers 503, so that the sender comes back when there is one", async () => {
  const { url } = await startIngress({}, { sources: knowing({ ...source, hmacKeys: [] }) });
  const answer = await sendRaw(url, {
    path: "/in/gemini",
    headers: { ...sign("{}"), "content-length": "2" },
    chunks: ["{}"],
  });
  expect(answer.status).toBe(503);
  expect(answer.head).toMatch(/^retry-after: 60\r?$/im);
  expect(JSON.parse(answer.body)).toMatchObject({ code: "unavailable", reason: "no_secret" });
});

test("a GET of the path of a source is a 405, and its connection takes the next request", async () => {
  const { url } = await startIngress();
  const connection = await open(url);
  for (let count = 1; count <= 2; count++) {
    await connection.write("GET /in/gemini HTTP/1.1\r\nhost: a\r\n\r\n");
    await until(() => connection.text().match(/HTTP\/1\.1 405 /g)?.length === count);
  }
  expect(connection.isClosed()).toBe(false);
});

test("a 413 ends its connection, and says so", async () => {
  const { url } = await startIngress({ maxBytes: 1_024 });
  const connection = await open(url);
  const headers = Object.entries(sign("x".repeat(2_000))).map(([name, value]) => `${name}: ${value}\r\n`);
  await connection.write(`POST /in/gemini HTTP/1.1\r\nhost: a\r\n${headers.join("")}content-length: 2000\r\n\r\n`);
  await connection.write("x".repeat(2_000));
  await until(connection.isClosed);
  expect(connection.text()).toMatch(/^HTTP\/1\.1 413 /);
  expect(connection.text()).toMatch(/^connection: close\r$/im);
});

test("/healthz takes GET and HEAD only", async () => {
  const { url } = await startIngress();
  expect((await fetch(`${url}/healthz`, { method: "HEAD" })).status).toBe(200);
  const response = await fetch(`${url}/healthz`, { method: "POST" });
  expect([response.status, response.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
  expect(await response.json()).toMatchObject({ code: "method_not_allowed" });
});

test("the deadline of an event counts from the arrival of its request, without the time that its sender took", async () => {
  // A clock that only this test moves.
  vi.useFakeTimers({ toFake: ["performance"] });
  onTestFinished(() => void vi.useRealTimers());
  const body = "{}";
  const ages: number[] = [];
  let isReading = false;
  const { url } = await startIngress(
    {},
    {
      sources: {
        find: () => undefined,
        // The last check before the body.
        findNewer: async () => {
          vi.advanceTimersByTime(3_000);
          setImmediate(() => (isReading = true));
          return source;
        },
      },
      enqueue: async (_, arrivedAt) => void ages.push(performance.now() - arrivedAt),
    },
  );
  const connection = await open(url);
  await connection.write(headOf({ ...sign(body), "content-length": String(body.length) }));
  await until(() => isReading);
  vi.advanceTimersByTime(10_000);
  await connection.write(body);
  await until(() => ages.length > 0);
  expect(ages).toEqual([3_000]);
});
