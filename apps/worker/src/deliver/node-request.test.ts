// Targets that answer `100 Continue` before their answer, and targets with long headers, over real HTTP.

import { createServer, type Socket } from "node:net";

import type { ResolveHost } from "@sluice/shared/address/resolve-host";
import { expect, onTestFinished, test } from "vitest";

import { makeClaimedDelivery, makeLoadedTarget } from "../../../../tests/support/in-hand.ts";
import { guardOf } from "../../../../tests/support/guard.ts";
import { listenOnLoopback } from "../../../../tests/support/listen.ts";
import { until } from "../../../../tests/support/wait.ts";
import { OpenSockets } from "./open-sockets.ts";
import { Sender } from "./send.ts";
import { TargetConnections } from "./target-connections.ts";

const CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n";
const OK = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/** A server that answers each request with these bytes. The requests are kept as they came. */
async function serveBytes(answer: (socket: Socket) => void) {
  const requests: string[] = [];
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on("error", () => undefined).on("close", () => open.delete(socket));
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      if (!text.endsWith("\r\n\r\n{}")) return;
      requests.push(text);
      text = "";
      answer(socket);
    });
  });
  const port = await listenOnLoopback(server);
  onTestFinished(() => {
    server.close();
    for (const socket of open) socket.destroy();
  });
  return { port, requests };
}

function openSender(resolve?: ResolveHost) {
  const sockets = new OpenSockets(Number.POSITIVE_INFINITY);
  const connections = new TargetConnections({ guard: guardOf(), resolve, sockets });
  onTestFinished(() => connections.destroy());
  const sender = new Sender(connections, sockets);
  const send = (uri: string, timeoutSeconds = 20) => {
    const target = makeLoadedTarget({ uri, timeoutSeconds, headers: { "x-tenant": "\u00fc" } });
    return sender.send(target, makeClaimedDelivery(target));
  };
  return { send, sockets };
}

/** The second client closes its connection; the rest of the head MUST be the same. */
const headOf = (request = "") =>
  request
    .split("\r\n")
    .filter((line) => !/^connection:/i.test(line))
    .toSorted();

const idOf = (request: string | undefined) => /^webhook-id: (.*)\r$/im.exec(request ?? "")?.[1];

test("a 2xx after 100 Continue is a success; the request is repeated once, and only until the origin is known", async () => {
  const { port, requests } = await serveBytes((socket) => socket.write(CONTINUE + OK));
  const { send, sockets } = openSender();
  const uri = `http://127.0.0.1:${port}/hook?a=1`;
  expect(await send(uri)).toMatchObject({
    statusCode: 200,
    error: null,
    responseExcerpt: "ok",
    seen: { address: `127.0.0.1:${port}`, responseHeaders: { "content-length": "2" } },
  });
  expect(requests).toHaveLength(2);
  expect(idOf(requests[0])).toBe("msg_1");
  expect(headOf(requests[1])).toEqual(headOf(requests[0]));
  expect(requests[1]).toMatch(/^connection: close\r$/m);
  expect(await send(uri)).toMatchObject({ statusCode: 200, error: null });
  expect(requests).toHaveLength(3);
  await until(() => sockets.count === 0);
});

test("several informational responses may come before the answer", async () => {
  const hints = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";
  const { port } = await serveBytes((socket) =>
    socket.write(`HTTP/1.1 102 Processing\r\n\r\n${CONTINUE}${hints}${CONTINUE}${OK}`),
  );
  const { send } = openSender();
  for (let sent = 0; sent < 2; sent++) {
    expect(await send(`http://127.0.0.1:${port}/`)).toMatchObject({ statusCode: 200, responseExcerpt: "ok" });
  }
});

test.for([
  ["HTTP/1.1 503 Busy\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n", { statusCode: 503, retryAfterMs: 7_000 }],
  ["HTTP/1.1 200 OK\r\n\r\nuntil the end", { statusCode: 200, error: null, responseExcerpt: "until the end" }],
  ["HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\ncut", { error: expect.stringMatching(/^connection: /) }],
  ["", { statusCode: null, error: expect.stringMatching(/^connection: /) }],
  ["HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n", { statusCode: null }],
] as const)("after 100 Continue, %j has the result that it has otherwise", async ([answer, expected]) => {
  const { port } = await serveBytes((socket) => socket.end(CONTINUE + answer));
  expect(await openSender().send(`http://127.0.0.1:${port}/`)).toMatchObject(expected);
});

test("after 100 Continue, the relay reads 64 KiB of a response and keeps 1 KiB", async () => {
  const { port } = await serveBytes((socket) => {
    socket.write(`${CONTINUE}HTTP/1.1 200 OK\r\n\r\n`);
    const write = () => {
      while (!socket.destroyed && socket.write("x".repeat(10_000)));
    };
    socket.on("drain", write);
    write();
  });
  const { send, sockets } = openSender();
  expect(await send(`http://127.0.0.1:${port}/`)).toMatchObject({
    statusCode: 200,
    error: null,
    responseExcerpt: "x".repeat(1024),
  });
  await until(() => sockets.count === 0);
});

test("the deadline covers both requests, and ends the second one", async () => {
  const { port, requests } = await serveBytes((socket) => socket.write(CONTINUE));
  const { send, sockets } = openSender();
  const result = await send(`http://127.0.0.1:${port}/`, 1);
  expect(result).toMatchObject({ statusCode: null, error: "timeout: no complete response within 1 s" });
  expect(requests).toHaveLength(2);
  await until(() => sockets.count === 0);
});

test("the address guard and a fault of the worker hold for the second request too", async () => {
  const { port, requests } = await serveBytes((socket) => socket.write(CONTINUE + OK));
  const answers = ["127.0.0.1", "169.254.169.254", undefined];
  const { send } = openSender((_host, _options, done) => {
    const address = answers.shift();
    if (address === undefined) done(Object.assign(new Error("EMFILE"), { code: "EMFILE" }), []);
    else done(null, [{ address, family: 4 }]);
  });
  const uri = `http://rebind.test:${port}/`;
  expect(await send(uri)).toMatchObject({ error: expect.stringMatching(/^address refused: .*link-local/) });
  expect(await send(uri)).toMatchObject({ ownFault: { code: "EMFILE" } });
  expect(requests).toHaveLength(1);
});

test.for(["", CONTINUE])("headers of 100 KB are taken, after %j", async (before) => {
  const cookies = Array.from({ length: 25 }, (_, index) => `set-cookie: c${index}=${"x".repeat(4_000)}\r\n`).join("");
  const { port } = await serveBytes((socket) =>
    socket.write(`${before}HTTP/1.1 200 OK\r\n${cookies}content-length: 2\r\n\r\nok`),
  );
  expect(await openSender().send(`http://127.0.0.1:${port}/`)).toMatchObject({ statusCode: 200, error: null });
});
