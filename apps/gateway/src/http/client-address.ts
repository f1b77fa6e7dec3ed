// The address of a client. Behind a proxy every connection comes from the proxy, which writes the client's address into a
// header. Anybody can write this header too, so it counts only from the proxies that TRUSTED_PROXIES names.

import type { IncomingMessage } from "node:http";

import { type IpRange, parseIp } from "@sluice/shared/address/ip";
import { plainAddress } from "@sluice/shared/address/plain-address";

import { TrustedProxies } from "./trusted-proxies.ts";

/** @returns the address of the client as text; undefined when its connection is closed already. */
export type FindClientAddress = (incoming: IncomingMessage) => string | undefined;

export function clientAddressFinder(trusted: readonly IpRange[]): FindClientAddress {
  const proxies = new TrustedProxies(trusted);
  const isTrusted = (address: string) => proxies.has(address);
  return ({ socket, headers }) => {
    if (socket.remoteAddress === undefined) return undefined;
    const peer = plainAddress(socket.remoteAddress);
    // Most relays name no proxies, and then nothing is parsed for a request.
    if (trusted.length === 0 || !isTrusted(peer)) return peer;
    const byList = readForwardedFor(headers["x-forwarded-for"]);
    const byPairs = readForwarded(headers.forwarded);
    const [first, second] = [byList, byPairs].map((hops) => hops && findClient(hops, peer, isTrusted));
    // A proxy that writes one of the headers passes on the other as the client wrote it. Where they differ, nobody knows
    // which one is true.
    if (first !== undefined && second !== undefined && first !== second) return peer;
    return first ?? second ?? peer;
  };
}

/**
 * Each proxy appends the address that it saw. So the list is read from its end, up to the first address that is no proxy
 * of ours: what stands before it may be invented.
 */
function findClient(hops: readonly string[], peer: string, isTrusted: (address: string) => boolean): string {
  let client = peer;
  for (const hop of hops.toReversed()) {
    if (parseIp(hop) === undefined) return client;
    client = plainAddress(hop);
    if (!isTrusted(client)) return client;
  }
  return client;
}

/** Several lines of the header are one list, which Node has joined. */
function readForwardedFor(header: string | string[] | undefined): string[] | undefined {
  if (header === undefined) return undefined;
  return String(header)
    .split(",")
    .map((entry) => withoutPort(entry.trim()));
}

/** RFC 7239: `for=192.0.2.1;proto=https, for="[2001:db8::1]:4711"`. */
function readForwarded(header: string | undefined): string[] | undefined {
  return header?.split(",").map((element) => {
    const node = /(?:^|;)\s*for\s*=\s*(?:"([^"]*)"|([^\s;"]*))/i.exec(element);
    return withoutPort(node?.[1] ?? node?.[2] ?? "");
  });
}

function withoutPort(node: string): string {
  const match = /^\[([^\]]*)\](?::\d+)?$/.exec(node) ?? /^([\d.]+):\d+$/.exec(node);
  return match?.[1] ?? node;
}
