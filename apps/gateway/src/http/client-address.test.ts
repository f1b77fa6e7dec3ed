// Tests whose address a request counts for, with and without proxies.

import type { IncomingMessage } from "node:http";

import { expect, test } from "vitest";

import { requireRange } from "@sluice/shared/address/ip";

import { clientAddressFinder } from "./client-address.ts";

const behindProxies = clientAddressFinder([requireRange("10.0.0.0/8"), requireRange("2001:db8:ffff::/48")]);
const alone = clientAddressFinder([]);

const request = (remoteAddress: string | undefined, headers: Record<string, string> = {}) =>
  ({ socket: { remoteAddress }, headers }) as unknown as IncomingMessage;

test("without trusted proxies, no header counts", () => {
  const headers = { "x-forwarded-for": "192.0.2.1", forwarded: "for=192.0.2.1" };
  expect(alone(request("10.0.0.1", headers))).toBe("10.0.0.1");
  expect(behindProxies(request("198.51.100.7", headers))).toBe("198.51.100.7");
  expect(alone(request(undefined, headers))).toBeUndefined();
});

test.for([
  ["one proxy", "192.0.2.1", "192.0.2.1"],
  ["two proxies", "192.0.2.1, 10.0.0.2", "192.0.2.1"],
  ["an invented first entry", "127.0.0.1, 192.0.2.1, 10.0.0.2", "192.0.2.1"],
  ["no blank", "192.0.2.1,10.0.0.2", "192.0.2.1"],
  ["a port", "192.0.2.1:4711", "192.0.2.1"],
  ["IPv6", "2001:db8::1", "2001:db8::1"],
  ["IPv6 in brackets with a port", "[2001:db8::1]:4711", "2001:db8::1"],
  ["an IPv6 proxy", "192.0.2.1, 2001:db8:ffff::9", "192.0.2.1"],
  ["a mapped address", "::ffff:192.0.2.1", "192.0.2.1"],
  ["only proxies", "10.0.0.3, 10.0.0.2", "10.0.0.3"],
  ["nonsense at the end", "192.0.2.1, unknown", "10.0.0.1"],
  ["nonsense before a proxy", "192.0.2.1, unknown, 10.0.0.2", "10.0.0.2"],
  ["nothing", "", "10.0.0.1"],
] as const)("X-Forwarded-For with %s", ([, header, client]) => {
  expect(behindProxies(request("::ffff:10.0.0.1", { "x-forwarded-for": header }))).toBe(client);
});

test.for([
  ["one proxy", "for=192.0.2.1", "192.0.2.1"],
  ["other parameters", 'by=10.0.0.1;For="192.0.2.1:80";proto=https', "192.0.2.1"],
  ["IPv6", 'for="[2001:db8::1]:4711"', "2001:db8::1"],
  ["two proxies", "for=127.0.0.1, for=192.0.2.1, for=10.0.0.2", "192.0.2.1"],
  ["a hidden client", "for=192.0.2.1, for=_hidden", "10.0.0.1"],
  ["no client", "proto=https", "10.0.0.1"],
] as const)("Forwarded with %s", ([, header, client]) => {
  expect(behindProxies(request("10.0.0.1", { forwarded: header }))).toBe(client);
});

const of = (list: string, pairs: string) =>
  behindProxies(request("10.0.0.1", { "x-forwarded-for": list, forwarded: pairs }));
expect(of("192.0.2.1", "for=192.0.2.1")).toBe("192.0.2.1");

test("two headers that differ: one of them may be invented, so the proxy stands for its client", () => {
  expect(of("192.0.2.1", "for=192.0.2.2")).toBe("10.0.0.1");
});
