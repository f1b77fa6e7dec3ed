// Where key sets may be: the address is checked where the connection is made, over real sockets and an injected resolver.

import { OwnServices } from "@sluice/shared/address/own-services";
import type { ResolveHost } from "@sluice/shared/address/resolve-host";
import { expect, onTestFinished, test } from "vitest";

import { guardOf } from "../../../../tests/support/guard.ts";
import { startJwksServer } from "../../../../tests/support/jwks-server.ts";
import { fetchKeySet } from "./fetch-key-set.ts";

const METADATA = "169.254.169.254";

async function startEndpoint() {
  const endpoint = await startJwksServer();
  onTestFinished(() => endpoint.stop());
  const { port } = new URL(endpoint.url);
  return { endpoint, port: Number(port), urlAt: (host: string) => endpoint.url.replace("127.0.0.1", host) };
}

/** Every name has these addresses. */
function answer(...addresses: string[]): ResolveHost {
  return (_, __, done) =>
    done(
      null,
      addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })),
    );
}

test.for(["http", "https"])("a forbidden address is not connected to, by %s", async (scheme) => {
  for (const host of [METADATA, "[::ffff:a9fe:a9fe]", "[fe80::1]", "0.0.0.0", "2852039166"]) {
    const fetched = fetchKeySet(`${scheme}://${host}/`, guardOf());
    await expect(fetched).rejects.toThrow(/^address refused: .*(link-local|unspecified)/);
  }
  const named = fetchKeySet(`${scheme}://keys.test/`, guardOf(), answer(METADATA));
  await expect(named).rejects.toThrow(`address refused: keys.test is ${METADATA}: link-local`);
});

test("loopback is connected to only where a setting opens it", async () => {
  const { endpoint, urlAt } = await startEndpoint();
  const closed = guardOf({ loopback: false });
  for (const scheme of ["http", "https"]) {
    for (const host of ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "keys.test"]) {
      const url = urlAt(host).replace("http:", `${scheme}:`);
      await expect(fetchKeySet(url, closed, answer("127.0.0.1"))).rejects.toThrow("address refused");
    }
  }
  expect(endpoint.fetches).toBe(0);
  for (const host of ["127.0.0.1", "localhost"]) {
    expect((await fetchKeySet(urlAt(host), guardOf(), answer("127.0.0.1"))).document).toEqual({ keys: [] });
  }
});

test("http does not leave this machine, whatever a name resolves to and whatever the host is", async () => {
  const refused = "http is only allowed for loopback";
  await expect(fetchKeySet("http://localhost:9/", guardOf(), answer("192.0.2.1"))).rejects.toThrow(refused);
  // The loopback address is the only one of several that is connected to.
  const { endpoint, urlAt } = await startEndpoint();
  await fetchKeySet(urlAt("localhost"), guardOf(), answer("192.0.2.1", "127.0.0.1"));
  expect(endpoint.fetches).toBe(1);
});

test("TARGET_DENY holds for key sets", async () => {
  const { endpoint, urlAt } = await startEndpoint();
  const byRange = fetchKeySet(urlAt("keys.test"), guardOf({ deny: "127.0.0.0/8" }), answer("127.0.0.1"));
  await expect(byRange).rejects.toThrow("TARGET_DENY has 127.0.0.0/8");
  const byName = fetchKeySet(urlAt("keys.test"), guardOf({ deny: "*.test" }), answer("127.0.0.1"));
  await expect(byName).rejects.toThrow("keys.test: TARGET_DENY has *.test");
  expect(endpoint.fetches).toBe(0);
});

test("the relay's own services are not asked for keys", async () => {
  const { endpoint, port, urlAt } = await startEndpoint();
  const api = { what: "API (API_PORT)", host: "0.0.0.0", port, mayListenOnMore: false };
  const guard = guardOf({ ownServices: new OwnServices([api]) });
  for (const host of ["127.0.0.1", "localhost", "keys.test"]) {
    await expect(fetchKeySet(urlAt(host), guard, answer("127.0.0.1"))).rejects.toThrow("the relay's own API");
  }
  expect(endpoint.fetches).toBe(0);
});

test("nothing is sent when a socket ends up at another address all the same", async () => {
  const { endpoint, urlAt } = await startEndpoint();
  let checks = 0;
  const guard = {
    ...guardOf(),
    // The resolver's answer passes, and what the socket says afterwards does not.
    refuseAddress: (_: string, address: string) => (++checks === 1 ? undefined : `late ${address}`),
  };
  const fetched = fetchKeySet(urlAt("keys.test"), guard, answer("127.0.0.1"));
  await expect(fetched).rejects.toThrow("address refused: late 127.0.0.1");
  expect(endpoint.fetches).toBe(0);
});
