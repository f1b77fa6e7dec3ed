// What a target gets, to the header, over real HTTP.

import { createServer, type RequestListener } from "node:http";
import { type AddressInfo } from "node:net";

import type { ResolveHost } from "@sluice/shared/address/resolve-host";
import type { Target } from "@sluice/store/configuration/targets";
import type { ClaimedDelivery } from "@sluice/store/delivery/deliveries";
import { expect, onTestFinished, test, vi } from "vitest";

import { makeClaimedDelivery, makeLoadedTarget } from "../../../../tests/support/in-hand.ts";
import { guardOf } from "../../../../tests/support/guard.ts";
import { until } from "../../../../tests/support/wait.ts";
import { OpenSockets } from "./open-sockets.ts";
import { Sender } from "./send.ts";
import { TargetConnections, type TargetConnectionsOptions } from "./target-connections.ts";

async function serve(answer: RequestListener): Promise<string> {
  const server = createServer({ keepAliveTimeout: 60_000 }, answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => server.close().closeAllConnections());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

const connect = (options: Partial<TargetConnectionsOptions> = {}) =>
  new TargetConnections({ guard: guardOf(), ...options });

async function sendTo(uri: string, changes: Partial<Target> = {}, connections = connect()) {
  const result = await trySendTo(uri, changes, connections);
  if ("ownFault" in result) throw result.ownFault;
  return result;
}

function trySendTo(
  uri: string,
  changes: Partial<Target>,
  connections: TargetConnections,
  sockets?: OpenSockets,
  carried: Partial<ClaimedDelivery> = {},
) {
  const target = makeLoadedTarget({ uri, ...changes });
  onTestFinished(() => connections.destroy());
  return new Sender(connections, sockets).send(target, { ...makeClaimedDelivery(target), ...carried });
}

/** The headers of one delivery as they are on the wire: names and values in turn. */
async function sendWith(headers: Record<string, string>, carried?: Partial<ClaimedDelivery>): Promise<string[]> {
  let received: string[] = [];
  const uri = await serve((request, response) => {
    received = request.rawHeaders;
    response.end();
  });
  const result = await trySendTo(uri, { headers }, connect(), undefined, carried);
  expect(result).toMatchObject({ statusCode: 200, error: null });
  return received;
}

const valuesOf = (raw: string[], name: string) =>
  raw.filter((_, index) => index % 2 === 1 && raw[index - 1]?.toLowerCase() === name);

test("a configured header replaces the relay's own, however it is written, and is sent once", async () => {
  expect(valuesOf(await sendWith({}), "user-agent")).toEqual(["sluice"]);
  const raw = await sendWith({ "User-Agent": "billing", "X-Tenant": "7" });
  expect(valuesOf(raw, "user-agent")).toEqual(["billing"]);
  expect(valuesOf(raw, "x-tenant")).toEqual(["7"]);
});

test("no configured header replaces a header that the relay signs", async () => {
  const raw = await sendWith({ "Webhook-Id": "other", "Sluice-Attempt": "9" });
  expect(valuesOf(raw, "webhook-id")).toEqual(["msg_1"]);
  expect(valuesOf(raw, "sluice-attempt")).toEqual(["1"]);
});

test("a body goes on with the labels that it came with, and with no others", async () => {
  const plain = await sendWith({});
  expect([...valuesOf(plain, "content-encoding"), ...valuesOf(plain, "sluice-body-unbound")]).toEqual([]);
  const given = { "Content-Encoding": "br", "Sluice-Body-Unbound": "false" };
  const raw = await sendWith(given, { contentEncoding: "gzip", bodyUnbound: true });
  expect(valuesOf(raw, "content-encoding")).toEqual(["gzip"]);
  expect(valuesOf(raw, "sluice-body-unbound")).toEqual(["true"]);
});

test("no configured header says how the body is encoded, or that it is unbound", async () => {
  const raw = await sendWith({ "Content-Encoding": "br", "Sluice-Body-Unbound": "true" });
  expect([...valuesOf(raw, "content-encoding"), ...valuesOf(raw, "sluice-body-unbound")]).toEqual([]);
});

test("an attempt ends at its deadline when no connection comes, and is not sent when one comes later", async () => {
  let requests = 0;
  const uri = await serve((_, response) => {
    requests += 1;
    response.end();
  });
  let waiting: Parameters<ResolveHost>[2] | undefined;
  const connections = connect({ resolve: (_host, _options, done) => (waiting = done) });
  const result = await sendTo(uri.replace("127.0.0.1", "target.test"), { timeoutSeconds: 1 }, connections);
  expect(result).toMatchObject({ statusCode: null, error: "timeout: no connection within 1 s" });
  // And not when the connection was given up.
  expect(result.durationMs).toBeLessThan(25_000);
  waiting?.(null, [{ address: "127.0.0.1", family: 4 }]);
  // When all that waited for a connection had it.
  await connections.close();
  expect(requests).toBe(0);
});

test("an informational response is not the answer", async () => {
  const uri = await serve((_, response) => {
    response.writeEarlyHints({ link: "</style.css>; rel=preload" });
    response.writeHead(202).end("taken");
  });
  expect(await sendTo(uri)).toMatchObject({ statusCode: 202, error: null, responseExcerpt: "taken" });
});

test("the relay reads 64 KiB of a response and keeps 1 KiB; a response that is cut off there counts as complete", async () => {
  const uri = await serve((_, response) => {
    const write = () => {
      while (!response.destroyed && response.write("x".repeat(10_000)));
    };
    response.on("drain", write);
    write();
  });
  const { statusCode, error, responseExcerpt } = await sendTo(uri);
  expect({ statusCode, error, responseExcerpt }).toEqual({
    statusCode: 200,
    error: null,
    responseExcerpt: "x".repeat(1024),
  });
});

test("a result knows the connection, when it was there, when the response began, and its headers", async () => {
  const answering: (() => void)[] = [];
  const uri = await serve((_, response) => {
    answering.push(() => response.setHeader("x-served-by", "one").end());
    if (answering.length === 2) for (const answer of answering.splice(0)) answer();
  });
  const connections = connect();
  // Two at once, over two connections; and then over one of them again.
  const results = await Promise.all([sendTo(uri, {}, connections), sendTo(uri, {}, connections)]);
  answering.push(() => undefined);
  for (const { seen, durationMs } of [...results, await sendTo(uri, {}, connections)]) {
    const { connectMs, firstByteMs } = seen;
    expect(seen).toMatchObject({ address: new URL(uri).host, responseHeaders: { "x-served-by": "one" } });
    expect(connectMs).toBeGreaterThan(0);
    expect(firstByteMs).toBeGreaterThan(connectMs ?? Infinity);
    expect(durationMs).toBeGreaterThanOrEqual(firstByteMs ?? Infinity);
  }
});

test("a result without a response knows the connection, and one without a connection knows nothing", async () => {
  const silent = await serve((request) => request.socket.destroy());
  expect((await sendTo(silent)).seen).toEqual({
    address: new URL(silent).host,
    connectMs: expect.any(Number),
    firstByteMs: null,
    responseHeaders: null,
  });
  const nothing = { address: null, connectMs: null, firstByteMs: null, responseHeaders: null };
  expect((await sendTo("http://target.test/", {}, failWith("ENOTFOUND"))).seen).toEqual(nothing);
});

/** Connections that cannot be made, because looking up the host fails. */
const failWith = (code: string) =>
  connect({ resolve: (_host, _options, done) => done(Object.assign(new Error(code), { code }), []) });

test("a failure of this worker is no result of the target", async () => {
  expect(await trySendTo("http://target.test/", {}, failWith("EMFILE"))).toMatchObject({
    ownFault: { code: "EMFILE" },
  });
  expect(await sendTo("http://target.test/", {}, failWith("ENOTFOUND"))).toMatchObject({
    error: "connection: ENOTFOUND",
  });
});

test("with many connections open, a connection ends with its request", async () => {
  const headers: (string | undefined)[] = [];
  const waiting: (() => void)[] = [];
  const uri = await serve((request, response) => {
    headers.push(request.headers.connection);
    waiting.push(() => response.end());
    if (waiting.length === 2) for (const answer of waiting) answer();
  });
  const sockets = new OpenSockets(0);
  const connections = connect({ sockets });
  const sent = [trySendTo(uri, {}, connections, sockets), trySendTo(uri, {}, connections, sockets)];
  await Promise.all(sent);
  // The second request was made while the connection of the first was open.
  expect(new Set(headers)).toEqual(new Set(["close", "keep-alive"]));
  await connections.close();
  await expect.poll(() => sockets.count).toBe(0);
});

test("a connection that is old and idle is closed, however long its server would keep it", async () => {
  vi.useFakeTimers({ toFake: ["performance"] });
  onTestFinished(() => void vi.useRealTimers());
  const uri = await serve((_, response) => response.setHeader("keep-alive", "timeout=600").end());
  const sockets = new OpenSockets(Number.POSITIVE_INFINITY);
  const connections = connect({ sockets });
  await sendTo(uri, {}, connections);
  connections.tidy([]);
  expect(sockets.count).toBe(1);
  vi.advanceTimersByTime(61_000);
  connections.tidy([]);
  await until(() => sockets.count === 0, { timeoutMs: 10_000 });
});
