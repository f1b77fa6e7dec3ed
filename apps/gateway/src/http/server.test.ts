// Tests what a server does with connections that are slow, broken or not HTTP, and when it is told to end.

import type { HttpBindings } from "@hono/node-server";
import { Hono } from "hono";
import { expect, onTestFinished, test } from "vitest";

import { closeServer, listen } from "@sluice/shared/runtime/http-server";
import { openLog } from "@sluice/shared/runtime/log";

import { openRaw, type RawConnection } from "../../../../tests/support/raw-request.ts";
import { until } from "../../../../tests/support/wait.ts";
import { openServer, type ServerOptions } from "./server.ts";

const logged: Record<string, unknown>[] = [];
const log = openLog("gateway", "info", {
  write: (line) => void logged.push(JSON.parse(line) as (typeof logged)[number]),
});

async function start(options?: ServerOptions) {
  const gate = Promise.withResolvers<void>();
  const seen = { waiting: 0 };
  const app = new Hono<{ Bindings: HttpBindings }>()
    .get("/", (c) => c.text("here"))
    .get("/headers", (c) => c.text(String(c.env.incoming.rawHeaders.length / 2)))
    .get("/waiting", async (c) => {
      seen.waiting += 1;
      await gate.promise;
      return c.text("waited");
    })
    .post("/", async (c) => c.text(String((await c.req.text()).length)))
    .onError((_, c) => c.text("interrupted", 500));
  const { server, endConnections } = openServer(app.fetch, log, options);
  const url = await listen(server, { host: "127.0.0.1", port: 0 }, "PORT");
  onTestFinished(() => closeServer(server, 0));
  const open = async (): Promise<RawConnection> => {
    const connection = await openRaw(url);
    onTestFinished(connection.close);
    return connection;
  };
  return { server, endConnections, open, gate, seen };
}

/** Waits for the end of a connection with exactly one answer, and returns the answer. */
async function answerOn(connection: RawConnection) {
  await until(connection.isClosed);
  const [head = "", body = ""] = connection.text().split("\r\n\r\n");
  const length = Number(/^content-length: (\d+)/im.exec(head)?.[1]);
  expect(head).toMatch(/^connection: close/im);
  expect(head).toMatch(/^content-type: application\/problem\+json/im);
  expect(length).toBe(Buffer.byteLength(body));
  const { code, request_id: requestId } = JSON.parse(body) as { code: string; request_id: string };
  expect(requestId).toMatch(/^[0-9a-f-]{36}$/);
  expect(/^x-request-id: (\S+)/im.exec(head)?.[1]).toBe(requestId);
  expect(logged.filter(({ request_id: id }) => id === requestId)).toMatchObject([{ code }]);
  return { status: Number(head.split(" ")[1]), code };
}

test.for([
  ["no HTTP", "hello\r\n\r\n", 400, "invalid_request"],
  ["a TLS hello", Buffer.from("16030100c8010000c40303", "hex"), 400, "invalid_request"],
  ["a bad header", "GET / HTTP/1.1\r\nhost: a\r\nb ad: 1\r\n\r\n", 400, "invalid_request"],
  [
    "two lengths",
    "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
    400,
    "invalid_request",
  ],
  ["no Host", "GET / HTTP/1.1\r\nconnection: close\r\n\r\n", 400, "invalid_request"],
  ["a bad Host", "GET / HTTP/1.1\r\nhost: a b/\r\nconnection: close\r\n\r\n", 400, "invalid_request"],
  [
    "too many bytes of headers",
    `GET / HTTP/1.1\r\nhost: a\r\nx: ${"x".repeat(20_000)}\r\n\r\n`,
    431,
    "headers_too_large",
  ],
  ["too many headers", `GET / HTTP/1.1\r\nhost: a\r\n${"x: y\r\n".repeat(100)}\r\n`, 431, "headers_too_large"],
  [
    "more headers than Node reads",
    `GET / HTTP/1.1\r\nhost: a\r\n${"x:\r\n".repeat(3_000)}\r\n`,
    431,
    "headers_too_large",
  ],
  [
    "a chunk that is none",
    "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\nxyz\r\n",
    400,
    "body_interrupted",
  ],
] as const)("%s gets a problem document, and the server goes on", async ([, bytes, status, code]) => {
  const { open } = await start();
  const connection = await open();
  await connection.write(bytes);
  expect(await answerOn(connection)).toEqual({ status, code });
  const next = await open();
  await next.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
  await until(() => next.text().endsWith("here"));
});

test.for([
  ["headers", "GET / HTTP/1.1\r\nhost: a\r\n"],
  ["a body", "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nx"],
] as const)("%s that do not arrive in time get a 408", async ([, bytes]) => {
  const { open } = await start({
    limits: { headersTimeout: 100, requestTimeout: 200, connectionsCheckingInterval: 20 },
  });
  const connection = await open();
  await connection.write(bytes);
  expect(await answerOn(connection)).toEqual({ status: 408, code: "request_timeout" });
});

test.for([
  ["headers", "GET / HTTP/1.1\r\nhost: a\r\n", "x: y\r\n"],
  ["a body", "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100000\r\n\r\n", "x"],
  ["a chunked body", "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n", "1\r\nx\r\n"],
] as const)("%s that arrive too slowly get a 408 too", async ([, head, drop]) => {
  const { open } = await start({
    limits: { headersTimeout: 150, requestTimeout: 300, connectionsCheckingInterval: 20 },
  });
  const connection = await open();
  await connection.write(head);
  const trickle = setInterval(() => void connection.write(drop), 10);
  onTestFinished(() => clearInterval(trickle));
  expect(await answerOn(connection)).toEqual({ status: 408, code: "request_timeout" });
});

test("a request may have 100 headers, and none is dropped", async () => {
  const { open } = await start();
  const connection = await open();
  await connection.write(`GET /headers HTTP/1.1\r\nhost: a\r\n${"x: y\r\n".repeat(99)}\r\n`);
  await until(() => connection.text().endsWith("\r\n\r\n100"));
});

test("of a flood of requests on one connection 32 wait, the next is refused, and the connection ends", async () => {
  const { open, gate, seen } = await start();
  const [flood, other] = [await open(), await open()];
  await flood.write("GET /waiting HTTP/1.1\r\nhost: a\r\n\r\n".repeat(2_000));
  await other.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
  await until(() => other.text().endsWith("here"));
  gate.resolve();
  await until(flood.isClosed);
  expect(seen.waiting).toBe(32);
  expect(flood.text().match(/waited/g)).toHaveLength(32);
  expect(flood.text().match(/HTTP\/1\.1 503 /g)).toHaveLength(1);
  expect(flood.text()).toMatch(/\r\nretry-after: 1\r\n/i);
  expect(flood.text()).toContain('"code":"unavailable"');
});

test("a connection takes any number of requests, one after the other", async () => {
  const { open } = await start();
  const connection = await open();
  for (let i = 1; i <= 100; i++) {
    await connection.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    await until(() => connection.text().match(/here/g)?.length === i);
  }
  expect(connection.isClosed()).toBe(false);
});

test("data that is not a request gets an answer too, also after another answer on its connection", async () => {
  const { open } = await start();
  const connection = await open();
  await connection.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
  await until(() => connection.text().endsWith("here"));
  await connection.write("hello\r\n\r\n");
  await until(connection.isClosed);
  expect(connection.text()).toMatch(/hereHTTP\/1\.1 400 .*"code":"invalid_request"/s);
});

const GET = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";

test("an idle connection makes room for a new one, the oldest first", async () => {
  const { open } = await start({ limits: { maxConnections: 4 } });
  const idle: RawConnection[] = [];
  for (let count = 0; count < 4; count++) {
    const connection = await open();
    await connection.write(GET);
    await until(() => connection.text().endsWith("here"));
    idle.push(connection);
  }
  const next = await open();
  await next.write(GET);
  await until(() => next.text().endsWith("here"));
  await until(() => idle[0]?.isClosed() === true);
  expect(idle.map((connection) => connection.isClosed())).toEqual([true, false, false, false]);
});

test.for([
  ["log", ""],
  ["that sent a part of their headers", "GET / HTTP/1.1\r\nhost:"],
  ["that sent a part of their body", "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nx"],
] as const)("connections %s keep nobody out", async ([, bytes]) => {
  const { open } = await start({ limits: { maxConnections: 8 } });
  for (let count = 0; count < 20; count++) {
    const crowd = await open();
    if (bytes !== "") await crowd.write(bytes);
  }
  for (let count = 0; count < 20; count++) {
    const webhook = await open();
    await webhook.write(GET);
    await until(() => webhook.text().endsWith("here"));
  }
});

test("a whole request under way is never closed for another connection", async () => {
  const { open, gate, seen } = await start({ limits: { maxConnections: 4 } });
  const waiting = await Promise.all(Array.from({ length: 4 }, () => open()));
  for (const connection of waiting) await connection.write("GET /waiting HTTP/1.1\r\nhost: a\r\n\r\n");
  await until(() => seen.waiting === 4);
  const extra = await open();
  await until(extra.isClosed);
  expect(extra.text()).toBe("");
  gate.resolve();
  for (const connection of waiting) await until(() => connection.text().endsWith("waited"));
});

test("a connection without a request line is closed after a while, and no other one", async () => {
  const { open } = await start();
  const [log1, slow, idle] = [await open(), await open(), await open()];
  await slow.write("GET / HTTP/1.1\r\n");
  await idle.write(GET);
  await until(log1.isClosed);
  expect(log1.text()).toBe("");
  expect([slow.isClosed(), idle.isClosed()]).toEqual([false, false]);
  await slow.write("host: a\r\n\r\n");
  await until(() => slow.text().endsWith("here"));
});

test("an address may have a limit of connections, and those that close make room", async () => {
  const { open } = await start({ limits: { maxPerNetwork: 2 } });
  const [first, second] = [await open(), await open()];
  const third = await open();
  await until(third.isClosed);
  await second.write(GET);
  await until(() => second.text().endsWith("here"));
  first.close();
  await until(async () => {
    const next = await open();
    await next.write(GET);
    await until(() => next.isClosed() || next.text().endsWith("here"));
    return next.text().endsWith("here");
  });
});

test("HTTP/1.0 needs no Host, as the checks of balancers have none", async () => {
  const { open } = await start();
  const connection = await open();
  await connection.write("GET / HTTP/1.0\r\n\r\n");
  await until(connection.isClosed);
  expect(connection.text()).toMatch(/^HTTP\/1\.1 200 [^]*here$/);
});

test.for([
  ["nonsense", "\x00\x01nonsense\r\n\r\n"],
  ["a bad header", "GET / HTTP/1.1\r\nb ad: 1\r\n\r\n"],
])(
  "%s in the same packet as a whole request does not change its answer, which ends the connection",
  async ([, rest]) => {
    const { open, gate, seen } = await start();
    const [quick, waiting] = [await open(), await open()];
    await quick.write(GET + rest);
    await waiting.write(`GET /waiting HTTP/1.1\r\nhost: a\r\n\r\n${rest}`);
    await until(() => seen.waiting === 1);
    gate.resolve();
    for (const connection of [quick, waiting]) await until(connection.isClosed);
    expect(quick.text()).toMatch(/^HTTP\/1\.1 200 [^]*here$/);
    expect(waiting.text()).toMatch(/^HTTP\/1\.1 200 [^]*waited$/);
  },
);

test("every answer forbids browsers to guess its type, also where there is no request", async () => {
  const { open } = await start();
  for (const bytes of [GET, "hello\r\n\r\n", `GET / HTTP/1.1\r\nhost: a\r\n${"x: y\r\n".repeat(100)}\r\n`]) {
    const connection = await open();
    await connection.write(bytes);
    await until(() => connection.text().includes("\r\n\r\n"));
    expect(connection.text()).toMatch(/^x-content-type-options: nosniff\r$/im);
  }
});

test("the limits of time are checked often enough to be exact", async () => {
  const { server } = await start();
  // Node stores the timer under a symbol.
  const symbol = Object.getOwnPropertySymbols(server).find(
    ({ description }) => description === "http.server.connectionsCheckingInterval",
  );
  const checks: unknown = Reflect.get(server, symbol ?? "");
  expect(checks).toHaveProperty("_repeat", expect.any(Number));
  expect(Reflect.get(checks as object, "_repeat")).toBeLessThanOrEqual(server.headersTimeout / 5);
});

test("endConnections ends each connection with its next answer, including the answers under way", async () => {
  const { open, endConnections, gate } = await start();
  const [before, after] = [await open(), await open()];
  await before.write("GET /waiting HTTP/1.1\r\nhost: a\r\n\r\n");
  await after.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
  await until(() => after.text().endsWith("here"));
  expect(after.text()).not.toMatch(/connection: close/i);
  endConnections();
  gate.resolve();
  await after.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
  for (const connection of [before, after]) {
    await until(connection.isClosed);
    expect(connection.text()).toMatch(/connection: close/i);
  }
  expect(before.text()).toMatch(/waited$/);
});

test("an unknown expectation is ignored, and the request gets its answer", async () => {
  const { open } = await start();
  const connection = await open();
  await connection.write("GET / HTTP/1.1\r\nhost: a\r\nexpect: a-miracle\r\nconnection: close\r\n\r\n");
  await until(connection.isClosed);
  expect(connection.text()).toMatch(/^HTTP\/1\.1 200 [^]*here$/);
});
