// Sends a request by node:http, for the servers that answer `100 Continue` first: undici cannot read that answer. Each
// request has a connection of its own, which the same guard makes. undici sends all other requests, because it needs
// less time for each.

import { type IncomingMessage, request as httpRequest } from "node:http";

import type { buildConnector } from "undici";

import type { Exchange } from "./exchange.ts";

/**
 * Proxies and frameworks with many cookies and policies send 40 KB. At the limit of 512 requests in flight, headers of
 * this size take 64 MiB.
 */
export const MAX_RESPONSE_HEADER_BYTES = 128 * 1024;

export interface PlainRequest {
  url: URL;
  /** Those that are undefined are not sent. */
  headers: Record<string, string | undefined>;
  body: Buffer;
}

/** Any number of informational responses may come before the final one. @param exchange gets the result. */
export function requestByNode(
  connect: buildConnector.connector,
  { url, headers, body }: PlainRequest,
  exchange: Exchange,
): void {
  const { protocol, host, port } = url;
  const hostname = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const given = Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined));
  const request = httpRequest({
    method: "POST",
    path: url.pathname + url.search,
    setHost: false,
    headers: { host, connection: "close", ...given, "content-length": body.length },
    maxHeaderSize: MAX_RESPONSE_HEADER_BYTES,
    // The socket is encrypted already where the URL wants it.
    createConnection: (_, done) => {
      connect({ hostname, host, protocol, port }, (...[error, socket]) => {
        // Node's type wants a socket beside an error, and its code does not.
        if (error !== null) done(error, undefined as never);
        else done(null, socket);
      });
      return undefined;
    },
  });
  let response: IncomingMessage | undefined;
  const controller = { abort: (reason: Error) => void request.destroy(reason) };
  request
    .once("socket", (socket) => {
      exchange.onRequestStart(controller);
      exchange.onSocket(socket);
    })
    .once("response", (incoming) => {
      response = incoming;
      exchange.onResponseStart(controller, response.statusCode ?? 0, response.headers);
      response
        .on("data", (chunk: Buffer) => exchange.onResponseData(controller, chunk))
        .once("end", () => exchange.onResponseEnd())
        .once("error", (error) => exchange.fail(error));
    })
    .on("error", (error) => exchange.fail(error))
    // A server that switches protocols, which nobody asked for, gives no error. What has a result ignores this one.
    .once("close", () => {
      if (response?.complete !== true) exchange.fail(new Error("closed before a complete response"));
    })
    .end(body);
}
