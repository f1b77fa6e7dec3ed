// Hosts with several addresses, over real handshakes that the kernel holds back.

import { createServer } from "node:http";

import type { ResolveHost } from "@sluice/shared/address/resolve-host";
import { expect, onTestFinished, test } from "vitest";

import { makeClaimedDelivery, makeLoadedTarget } from "../../../../tests/support/in-hand.ts";
import { guardOf } from "../../../../tests/support/guard.ts";
import { startStalledListener } from "../../../../tests/support/stalled-listener.ts";
import { until } from "../../../../tests/support/wait.ts";
import { OpenSockets } from "./open-sockets.ts";
import { Sender } from "./send.ts";
import { TargetConnections } from "./target-connections.ts";

async function stall(...hosts: string[]) {
  const listener = await startStalledListener(hosts);
  onTestFinished(() => listener.close());
  return listener;
}

/** Sends to a host that has these addresses. */
function sendTo(port: number, addresses: string[], timeoutSeconds = 30) {
  const resolve: ResolveHost = (_host, _options, done) =>
    done(
      null,
      addresses.map((address) => ({ address, family: 4 })),
    );
  const sockets = new OpenSockets(Number.POSITIVE_INFINITY);
  const connections = new TargetConnections({ guard: guardOf(), resolve, sockets });
  onTestFinished(() => connections.destroy());
  const target = makeLoadedTarget({ uri: `http://several.test:${port}/`, timeoutSeconds });
  const result = new Sender(connections, sockets).send(target, makeClaimedDelivery(target));
  return { result, sockets };
}

test("every address stays in the race while its handshake takes long", async () => {
  const slow = await stall("127.0.0.1", "127.0.0.3");
  // Nobody listens at the second address.
  const { result, sockets } = sendTo(slow.port, ["127.0.0.1", "127.0.0.2", "127.0.0.3"]);
  await until(() => new Set(slow.connecting()).size === 2, { timeoutMs: 10_000, what: "two handshakes at once" });
  expect(sockets.count).toBe(2);
  slow.resume();
  expect(await result).toMatchObject({ statusCode: 200, error: null });
  await until(() => sockets.count === 1);
});

test("an address that never answers does not keep the attempt from the other one", async () => {
  const silent = await stall("127.0.0.1");
  const server = createServer((_, response) => response.end("ok"));
  await new Promise<void>((resolve) => server.listen(silent.port, "127.0.0.2", resolve));
  onTestFinished(() => server.close().closeAllConnections());
  const { result, sockets } = sendTo(silent.port, ["127.0.0.1", "127.0.0.2"]);
  expect(await result).toMatchObject({ statusCode: 200, error: null });
  await until(() => sockets.count === 1);
  expect(silent.connecting()).toEqual([]);
});

test("an attempt without a connection says so at its deadline", async () => {
  const silent = await stall("127.0.0.1", "127.0.0.2");
  const { result } = sendTo(silent.port, ["127.0.0.1", "127.0.0.2"], 1);
  expect(await result).toMatchObject({ statusCode: null, error: "timeout: no connection within 1 s" });
});

test("a failure names every address", async () => {
  const closed = await stall("127.0.0.9");
  const { result, sockets } = sendTo(closed.port, ["127.0.0.1", "127.0.0.2"]);
  const [first, second] = [1, 2].map((last) => `connect ECONNREFUSED 127.0.0.${last}:${closed.port}`);
  expect(await result).toMatchObject({ error: `connection: ${first}; ${second}` });
  await until(() => sockets.count === 0);
});
