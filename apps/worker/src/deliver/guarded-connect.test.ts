// What an attempt connects to, over real sockets and an injected resolver: the address that was checked, and no other.

import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setImmediate } from "node:timers/promises";

import type { AddressGuard } from "@sluice/shared/address/guard";
import { OwnServices } from "@sluice/shared/address/own-services";
import type { ResolveHost } from "@sluice/shared/address/resolve-host";
import { expect, onTestFinished, test, vi } from "vitest";

import { guardOf } from "../../../../tests/support/guard.ts";
import { claimPort } from "../../../../tests/support/ports.ts";
import { until } from "../../../../tests/support/wait.ts";
import { TargetConnections } from "./target-connections.ts";

const METADATA = "169.254.169.254";

/** A target that counts its connections. `close` ends each with its answer. */
async function startTarget({ close = false, host = "127.0.0.1", port = 0 } = {}) {
  const server: Server = createServer((request, response) => {
    if (close) response.setHeader("connection", "close");
    if (request.url === "/held") seen.held = response;
    else response.end("ok");
  });
  // The five seconds that Node keeps one without a request may pass while the test stands still.
  server.keepAliveTimeout = 60_000;
  const seen = { connections: 0, open: 0, held: undefined as ServerResponse | undefined };
  server.on("connection", (socket) => {
    seen.connections += 1;
    seen.open += 1;
    socket.once("close", () => (seen.open -= 1));
  });
  await new Promise<void>((resolve) => server.listen(port, host, resolve));
  onTestFinished(
    () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  );
  return { port: (server.address() as AddressInfo).port, seen };
}

/** Answers in turn; the last one for good. */
function answerInTurn(...answers: string[][]) {
  const asked: string[] = [];
  const resolve: ResolveHost = (host, _, done) => {
    const addresses = answers[Math.min(asked.length, answers.length - 1)] ?? [];
    asked.push(host);
    done(
      null,
      addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })),
    );
  };
  return { asked, resolve };
}

function open(resolve?: ResolveHost, guard = guardOf()) {
  const { pools } = new TargetConnections({ guard, resolve }).routeTo({ tls: null });
  onTestFinished(() => pools.destroy());
  return async (origin: string, path = "/"): Promise<number> => {
    const { statusCode, body } = await pools.poolFor(origin).request({ path, method: "POST", body: "{}" });
    await body.dump();
    return statusCode;
  };
}

test.for(["http", "https"])("an address that is refused is not connected to, by %s", async (scheme) => {
  const { asked, resolve } = answerInTurn(["127.0.0.1"]);
  const post = open(resolve);
  for (const host of [METADATA, "[::ffff:a9fe:a9fe]", "[fe80::1]", "0.0.0.0", "[64:ff9b::a9fe:a9fe]"]) {
    await expect(post(`${scheme}://${host}:9`)).rejects.toThrow(/^address refused: .*(link-local|unspecified)/);
  }
  expect(asked).toEqual([]);
});

test.for(["http", "https"])("a name with a refused address is not connected to, by %s", async (scheme) => {
  const { asked, resolve } = answerInTurn([METADATA], ["fe80::1%lo"], [METADATA, "fd00:ec2::254"], []);
  const post = open(resolve);
  const origin = `${scheme}://rebind.test:9`;
  await expect(post(origin)).rejects.toThrow(`address refused: rebind.test is ${METADATA}: link-local`);
  await expect(post(origin)).rejects.toThrow("rebind.test is fe80::1%lo: link-local");
  await expect(post(origin)).rejects.toThrow("link-local");
  await expect(post(origin)).rejects.toThrow("address refused: rebind.test: no address");
  expect(asked).toHaveLength(4);
});

test("a second DNS answer is never connected to without a check: one question for one connection", async () => {
  const target = await startTarget({ close: true });
  const { asked, resolve } = answerInTurn(["127.0.0.1"], [METADATA], ["127.0.0.1"]);
  const post = open(resolve);
  const origin = `http://rebind.test:${target.port}`;
  expect(await post(origin)).toBe(200);
  expect(asked).toHaveLength(1);
  await expect(post(origin)).rejects.toThrow(`address refused: rebind.test is ${METADATA}`);
  // Once DNS is repaired, so are the attempts.
  expect(await post(origin)).toBe(200);
  expect(target.seen.connections).toBe(2);
});

test("a connection that is kept is used again, whatever DNS says since", async () => {
  const target = await startTarget();
  const { resolve } = answerInTurn(["127.0.0.1"], [METADATA]);
  const post = open(resolve);
  const origin = `http://rebind.test:${target.port}`;
  expect(await post(origin)).toBe(200);
  // It is free a moment after its answer.
  await until(() => post(origin), { accept: (status) => status === 200 });
  expect(target.seen.connections).toBe(1);
});

test("a connection of a minute gets no further request, and the one that it has ends in peace", async () => {
  vi.useFakeTimers({ toFake: ["performance"] });
  onTestFinished(() => void vi.useRealTimers());
  const before = await startTarget({ port: await claimPort() });
  const after = await startTarget({ host: "127.0.0.2", port: before.port });
  const { asked, resolve } = answerInTurn(["127.0.0.1"], ["127.0.0.2"]);
  const post = open(resolve);
  const origin = `http://moving.test:${before.port}`;
  const held = post(origin, "/held");
  const answer = await until(() => before.seen.held);
  vi.advanceTimersByTime(61_000);
  expect(await post(origin)).toBe(200);
  expect(after.seen.connections).toBe(1);
  answer?.end("late");
  expect(await held).toBe(200);
  // The connection to the old address is closed although its server would keep it for a minute.
  await until(() => before.seen.open === 0, { timeoutMs: 10_000 });
  expect(asked).toHaveLength(2);
  expect(before.seen.connections).toBe(1);
});

test("under steady traffic, a request finds the name at its new address after a minute", async () => {
  vi.useFakeTimers({ toFake: ["performance"] });
  onTestFinished(() => void vi.useRealTimers());
  const before = await startTarget({ port: await claimPort() });
  const after = await startTarget({ host: "127.0.0.2", port: before.port });
  const post = open(answerInTurn(["127.0.0.1"], ["127.0.0.2"]).resolve);
  const origin = `http://moving.test:${before.port}`;
  for (let sent = 0; sent < 3; sent++) {
    expect(await post(origin)).toBe(200);
    // undici gives a connection free with the next turn of the event loop.
    await setImmediate();
  }
  expect(before.seen.connections).toBe(1);
  vi.advanceTimersByTime(61_000);
  expect(await post(origin)).toBe(200);
  expect([before.seen.connections, after.seen.connections]).toEqual([1, 1]);
});

test("a name with several addresses is connected to at the allowed ones only", async () => {
  const target = await startTarget();
  const { resolve } = answerInTurn([METADATA, "fe80::1%lo", "127.0.0.1"]);
  expect(await open(resolve)(`http://mixed.test:${target.port}`)).toBe(200);
  expect(target.seen.connections).toBe(1);
});

test("TARGET_DENY and TARGET_ALLOW hold for what a name resolves to", async () => {
  const target = await startTarget();
  const origin = `http://billing.test:${target.port}`;
  const { resolve } = answerInTurn(["127.0.0.1"]);
  const denying = guardOf({ deny: "127.0.0.0/8" });
  await expect(open(resolve, denying)(origin)).rejects.toThrow("TARGET_DENY has 127.0.0.0/8");
  const denyingName = guardOf({ deny: "*.test" });
  await expect(open(resolve, denyingName)(origin)).rejects.toThrow("billing.test: TARGET_DENY has *.test");
  const other = guardOf({ allow: "10.0.0.0/8" });
  await expect(open(resolve, other)(origin)).rejects.toThrow("not in TARGET_ALLOW");
  expect(target.seen.connections).toBe(0);
  const allowing = guardOf({ allow: "127.0.0.1" });
  expect(await open(resolve, allowing)(origin)).toBe(200);
});

test("loopback is connected to only where TARGET_LOOPBACK allows it", async () => {
  const target = await startTarget();
  const closed = open(answerInTurn(["127.0.0.1"]).resolve, guardOf({ loopback: false, allow: "127.0.0.1" }));
  for (const host of ["127.0.0.1", "[::ffff:127.0.0.1]", "localhost", "rebind.test"]) {
    await expect(closed(`http://${host}:${target.port}`)).rejects.toThrow("which TARGET_LOOPBACK=allow opens");
  }
  expect(target.seen.connections).toBe(0);
});

test.for(["http", "https"])("the relay's own services are not connected to, by %s", async (scheme) => {
  const target = await startTarget();
  const { asked, resolve } = answerInTurn(["127.0.0.1"]);
  const api = { what: "API (API_PORT)", host: "127.0.0.1", port: target.port, mayListenOnMore: false };
  const post = open(resolve, guardOf({ allow: "127.0.0.1, a.test", ownServices: new OwnServices([api]) }));
  for (const host of ["127.0.0.1", "[::ffff:127.0.0.1]", "localhost", "a.test"]) {
    await expect(post(`${scheme}://${host}:${target.port}`)).rejects.toThrow("the relay's own API (API_PORT)");
  }
  expect(asked).toEqual(["a.test"]);
  expect(target.seen.connections).toBe(0);
});

test("a service of the relay that has a name is not connected to where the name leads now", async () => {
  const [target, other] = [await startTarget({ close: true }), await startTarget()];
  const addresses = { current: "192.0.2.1" };
  const resolve: ResolveHost = (host, _, done) =>
    done(null, [{ address: host === "redis.test" ? addresses.current : "127.0.0.1", family: 4 }]);
  const redis = { what: "Redis (REDIS_URL)", host: "redis.test", port: target.port, mayListenOnMore: false };
  const post = open(resolve, guardOf({ ownServices: new OwnServices([redis], resolve) }));
  expect(await post(`http://a.test:${target.port}`)).toBe(200);
  addresses.current = "127.0.0.1";
  for (const host of ["127.0.0.1", "a.test", "redis.test"]) {
    await expect(post(`http://${host}:${target.port}`)).rejects.toThrow("the relay's own Redis (REDIS_URL)");
  }
  expect(await post(`http://a.test:${other.port}`)).toBe(200);
  expect(target.seen.connections).toBe(1);
});

test("nothing is sent when a socket ends up at another address all the same", async () => {
  const target = await startTarget();
  let checks = 0;
  const guard: AddressGuard = {
    refuseHost: () => undefined,
    // The resolver's answer passes, and what the socket says afterwards does not.
    refuseAddress: (_, address) => (++checks === 1 ? undefined : `late ${address}`),
    locateOwnServices: async () => undefined,
  };
  await expect(open(answerInTurn(["127.0.0.1"]).resolve, guard)(`http://a.test:${target.port}`)).rejects.toThrow(
    "address refused: late 127.0.0.1",
  );
  expect(checks).toBe(2);
});

test("a name that does not resolve fails as the resolver says", async () => {
  await expect(
    open((host, _, done) => done(new Error(`ENOTFOUND ${host}`), []))("http://nowhere.test:9"),
  ).rejects.toThrow("ENOTFOUND nowhere.test");
});

test("a proxy of the environment is not used", async () => {
  const [target, proxy] = [await startTarget(), await startTarget()];
  const names = [
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NODE_USE_ENV_PROXY",
  ];
  const before = names.map((name) => [name, process.env[name]] as const);
  onTestFinished(() => {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  });
  for (const name of names) process.env[name] = name.startsWith("NODE") ? "1" : `http://127.0.0.1:${proxy.port}`;
  expect(await open()(`http://127.0.0.1:${target.port}`)).toBe(200);
  expect(proxy.seen.connections).toBe(0);
});
