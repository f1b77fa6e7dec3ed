// Fetches a key set once, with limits: an endpoint that hangs, sends gigabytes or redirects costs only seconds and
// kilobytes. The URL comes from the API, so every address is checked where the connection is made.

import { type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import type { Socket } from "node:net";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";

import { type AddressGuard, portOf } from "@sluice/shared/address/guard";
import { AddressRefused, guardLookup, refuseDestination } from "@sluice/shared/address/guarded-lookup";
import { isLoopback, parseIp, unmapped } from "@sluice/shared/address/ip";
import { type ResolveHost, resolveWithSystem } from "@sluice/shared/address/resolve-host";

const decompress = promisify(gunzip);

const TIMEOUT_MS = 5_000;
/** Google's key set has a few kilobytes. */
const MAX_BYTES = 256 * 1024;

export interface FetchedKeySet {
  document: unknown;
  /** `max-age` of Cache-Control in milliseconds. Undefined when the answer has none. */
  maxAgeMs: number | undefined;
}

/**
 * @throws AddressRefused when the endpoint is at a forbidden address; Error when it does not answer with a JSON document
 *   within the limits.
 */
export async function fetchKeySet(
  uri: string,
  guard: AddressGuard,
  resolve: ResolveHost = resolveWithSystem,
): Promise<FetchedKeySet> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const response = await openEndpoint(new URL(uri), { guard, resolve, signal });
  try {
    // No redirects: whoever controls a redirect on the endpoint could supply keys from another host.
    if (response.statusCode !== 200) throw new Error(`the endpoint answered with status ${response.statusCode}`);
    const document: unknown = JSON.parse(await readLimited(response));
    const maxAge = /(?:^|[\s,])max-age=(\d{1,9})(?:$|[\s,])/.exec(response.headers["cache-control"] ?? "")?.[1];
    return { document, maxAgeMs: maxAge === undefined ? undefined : Number(maxAge) * 1000 };
  } finally {
    // Closes the connection when the body was not read to its end.
    response.destroy();
  }
}

interface Connecting {
  guard: AddressGuard;
  resolve: ResolveHost;
  signal: AbortSignal;
}

/** Connects directly and never through a proxy, which would connect to addresses that were not checked. */
async function openEndpoint(url: URL, { guard, resolve, signal }: Connecting): Promise<IncomingMessage> {
  const port = portOf(url);
  const early = await refuseDestination(guard, url.hostname, port);
  if (early !== undefined) throw new AddressRefused(early);
  const refuse = (host: string, address: string) =>
    guard.refuseAddress(host, address, port) ?? refusePlainHttp(url, address);
  const request = (url.protocol === "https:" ? requestHttps : requestHttp)(url, {
    // Without an agent that is shared, nothing keeps the connection, and no setting of Node's agents applies.
    agent: false,
    lookup: guardLookup(refuse, resolve),
    headers: { accept: "application/json", "accept-encoding": "gzip" },
    signal,
  });
  return new Promise((fulfil, reject) => {
    request.once("response", fulfil);
    // Stays for good: a request that is cut off after its answer has an error, too.
    request.on("error", reject);
    // Node gives neither an answer nor an error when the endpoint switches the protocol (101).
    request.once("close", () => reject(new Error("the endpoint closed the connection without an answer")));
    // A second check of the address that the socket really has, before anything is sent. It also judges a host that is
    // an address, which is never looked up.
    request.once("socket", (socket: Socket) =>
      socket.once("connect", () => {
        const late = refuse(url.hostname, socket.remoteAddress ?? "unknown");
        if (late !== undefined) request.destroy(new AddressRefused(late));
      }),
    );
    request.end();
  });
}

/** Whoever can answer for the URL can sign events, so that no answer may pass through a network in the clear. */
function refusePlainHttp({ protocol, hostname }: URL, address: string): string | undefined {
  const ip = parseIp(address);
  if (protocol === "https:" || (ip !== undefined && isLoopback(unmapped(ip)))) return undefined;
  return `${hostname} is ${address}: http is only allowed for loopback`;
}

async function readLimited(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BYTES) throw aboveLimit();
    chunks.push(chunk);
  }
  const encoding = response.headers["content-encoding"] ?? "identity";
  if (encoding === "identity") return Buffer.concat(chunks).toString("utf8");
  if (encoding !== "gzip") throw new Error("the key set has a content-encoding other than gzip");
  try {
    return (await decompress(Buffer.concat(chunks), { maxOutputLength: MAX_BYTES })).toString("utf8");
  } catch (error) {
    throw error instanceof RangeError ? aboveLimit() : error;
  }
}

function aboveLimit(): Error {
  return new Error(`the key set is above ${MAX_BYTES} bytes`);
}
