// Finds the relay's own services under every address of theirs, over an injected resolver and injected interfaces.

import type { networkInterfaces } from "node:os";

import { expect, test } from "vitest";

import { parseIp } from "./ip.ts";
import { type OwnService, OwnServices } from "./own-services.ts";
import type { ResolveHost } from "./resolve-host.ts";

const PORT = 6379;
/** This machine has these addresses beside the loopback ones. */
const interfaces = (() => ({
  eth0: [{ address: "10.0.0.5" }, { address: "fd00::5" }, { address: "fe80::5" }],
})) as unknown as typeof networkInterfaces;

function serviceAt(host: string, changes: Partial<OwnService> = {}): OwnService {
  return { what: "it", host, port: PORT, mayListenOnMore: false, ...changes };
}

/** A resolver that answers from a table, or with the code of an error. */
function resolverOf(answers: Record<string, string[] | string>): ResolveHost {
  return (host, _, done) => {
    const answer = answers[host] ?? "ENOTFOUND";
    if (typeof answer === "string") done(Object.assign(new Error(answer), { code: answer }), []);
    else
      done(
        null,
        answer.map((address) => ({ address, family: 4 })),
      );
  };
}

function find(services: OwnServices, address: string, port = PORT): string | undefined {
  const ip = parseIp(address);
  return ip && services.findByAddress([ip], port);
}

/** The addresses of a list under which a service is found. */
function foundAmong(services: OwnServices, addresses: string[]): string[] {
  return addresses.filter((address) => find(services, address) !== undefined);
}

const ADDRESSES = ["127.0.0.1", "127.0.0.9", "::1", "10.0.0.5", "fd00::5", "10.0.0.6", "fd00::6"];
const LOOPBACK = ADDRESSES.slice(0, 3);
const OWN = ADDRESSES.slice(0, 5);

test.for<[string, string[]]>([
  ["0.0.0.0", OWN],
  ["::", OWN],
  ["127.0.0.1", LOOPBACK],
  ["localhost", LOOPBACK],
  ["[::1]", LOOPBACK],
  ["10.0.0.5", ["10.0.0.5"]],
  ["::ffff:10.0.0.6", ["10.0.0.6"]],
])("a service that listens on %s is found at %j", ([host, expected]) => {
  const services = new OwnServices([serviceAt(host)], resolverOf({}), interfaces);
  expect(foundAmong(services, ADDRESSES)).toEqual(expected);
  expect(find(services, "127.0.0.1", PORT + 1)).toBeUndefined();
});

test.for<[string, string[]]>([
  ["127.0.0.1", OWN],
  ["10.0.0.5", OWN],
  ["10.0.0.6", ["10.0.0.6"]],
])("a store that is reached at %s may listen at %j", ([host, expected]) => {
  const services = new OwnServices([serviceAt(host, { mayListenOnMore: true })], resolverOf({}), interfaces);
  expect(foundAmong(services, ADDRESSES)).toEqual(expected);
});

test("a service with a name is found at the addresses that the name has now, and under the name at once", async () => {
  const answers: Record<string, string[] | string> = { "redis.internal": ["10.0.0.6", "fd00::6"] };
  const services = new OwnServices([serviceAt("Redis.Internal.")], resolverOf(answers), interfaces);
  expect(services.findByName("redis.internal", PORT)).toBe("it");
  expect(services.findByName("redis.internal", PORT + 1)).toBeUndefined();
  expect(services.findByName("other.internal", PORT)).toBeUndefined();
  expect(await services.locate(PORT)).toBeUndefined();
  expect(foundAmong(services, ADDRESSES)).toEqual(["10.0.0.6", "fd00::6"]);
  answers["redis.internal"] = ["10.0.0.5"];
  expect(await services.locate(PORT)).toBeUndefined();
  expect(foundAmong(services, ADDRESSES)).toEqual(["10.0.0.5"]);
});

test("while a name does not resolve, the service is where it was", async () => {
  const answers: Record<string, string[] | string> = { "redis.internal": ["10.0.0.6"] };
  const services = new OwnServices([serviceAt("redis.internal")], resolverOf(answers), interfaces);
  await services.locate(PORT);
  for (const code of ["EAI_AGAIN", "ENOTFOUND"]) {
    answers["redis.internal"] = code;
    expect(await services.locate(PORT)).toBeUndefined();
    expect(foundAmong(services, ADDRESSES)).toEqual(["10.0.0.6"]);
  }
});

test("nobody connects to the port of a service whose name never resolved, unless DNS says that there is none", async () => {
  const answers: Record<string, string[] | string> = { "redis.internal": "EAI_AGAIN" };
  const services = new OwnServices([serviceAt("redis.internal", { what: "Redis" })], resolverOf(answers), interfaces);
  expect(await services.locate(PORT)).toBe(`port ${PORT}: the address of the relay's own Redis cannot be resolved now`);
  expect(await services.locate(PORT + 1)).toBeUndefined();
  answers["redis.internal"] = "ENOTFOUND";
  expect(await services.locate(PORT)).toBeUndefined();
  expect(foundAmong(services, ADDRESSES)).toEqual([]);
});

test("localhost is found like a loopback address, and a service without a known port is nowhere", () => {
  const services = new OwnServices([serviceAt("0.0.0.0"), serviceAt("0.0.0.0", { port: 0 })], undefined, interfaces);
  expect(services.findByName("localhost", PORT)).toBe("it");
  expect(services.findByName("a.localhost", PORT)).toBe("it");
  expect(services.findByName("localhost", 0)).toBeUndefined();
});
