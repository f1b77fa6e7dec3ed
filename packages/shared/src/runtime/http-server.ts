// Opening and closing an HTTP server: the address it really listens on, and a stop that lets running requests
// finish.

import { once } from "node:events";
import type { Server } from "node:http";

import { SluiceError } from "./errors.ts";

export interface Address {
  host: string;
  port: number;
}

/**
 * @param setting the environment variable of the port, for the message.
 * @returns the base URL, with the real port where 0 was asked for.
 * @throws SluiceError `invalid_configuration` when the address cannot be had.
 */
export async function listen(server: Server, { host, port }: Address, setting: string): Promise<string> {
  server.listen(port, host);
  try {
    await once(server, "listening");
  } catch (error) {
    const reason =
      error instanceof Error && "code" in error && error.code === "EADDRINUSE" ? "is in use" : String(error);
    throw new SluiceError("invalid_configuration", `${setting}: port ${port} on ${host} ${reason}`, { cause: error });
  }
  const address = server.address();
  const actual = typeof address === "object" && address !== null ? address.port : port;
  const shown = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;
  return `http://${shown.includes(":") ? `[${shown}]` : shown}:${actual}`;
}

/** Stops accepting, waits for running requests, and cuts those that are still running after the limit. */
export async function closeServer(server: Server, limitMs: number): Promise<void> {
  if (!server.listening) return;
  const closed = once(server, "close");
  server.close();
  // A keep-alive connection becomes idle when its request ends, and would hold the server open.
  const sweep = setInterval(() => server.closeIdleConnections(), 50);
  const limit = setTimeout(() => server.closeAllConnections(), limitMs);
  await closed;
  clearInterval(sweep);
  clearTimeout(limit);
}
