// Opens an HTTP server and says on which address it listens. Closes it so that running requests can finish.

import { once } from "node:events";
import type { Server } from "node:http";

import { SluiceError } from "./errors.ts";

export interface Address {
  host: string;
  port: number;
}

/**
 * @param setting the name of the port's setting, for the error message.
 * @returns the base URL. Its port is the real one, also when port 0 was asked for.
 * @throws SluiceError `invalid_configuration` when the server cannot listen on the address.
 */
export async function listen(server: Server, { host, port }: Address, setting: string): Promise<string> {
  server.listen(port, host);
  try {
    await once(server, "listening");
  } catch (error) {
    const reason =
      error instanceof Error && "code" in error && error.code === "EADDRINUSE"
        ? "is in use; stop the other program, or set another port"
        : `cannot be opened (${String(error)})`;
    throw new SluiceError("invalid_configuration", `${setting}: port ${port} on ${host} ${reason}`, { cause: error });
  }
  const address = server.address();
  const actual = typeof address === "object" && address !== null ? address.port : port;
  const shown = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;
  return `http://${shown.includes(":") ? `[${shown}]` : shown}:${actual}`;
}

/** Accepts no more connections, waits for running requests, and cuts those that still run after the limit. */
export async function closeServer(server: Server, limitMs: number): Promise<void> {
  if (!server.listening) return;
  const closed = once(server, "close");
  server.close();
  // A keep-alive connection becomes idle when its request ends. An idle connection would keep the server from closing.
  const sweep = setInterval(() => server.closeIdleConnections(), 50);
  const limit = setTimeout(() => server.closeAllConnections(), limitMs);
  await closed;
  clearInterval(sweep);
  clearTimeout(limit);
}
