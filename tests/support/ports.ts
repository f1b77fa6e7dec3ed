// Ports that a process has again after it was killed: below those that the system gives to outgoing connections, one of
// which would otherwise take a port while its owner is away.

import { createServer } from "node:net";

const LOWEST = 12_000;
/** Linux hands out 32768 and above, other systems 49152 and above. */
const HIGHEST = 32_000;
const given = new Set<number>();

/** A port of loopback that nobody listens on, and that is given once by this process. */
export async function claimPort(): Promise<number> {
  for (;;) {
    // Not from the seed: two runs with the same one must not want the same ports.
    const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST));
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => server.close(() => resolve(true)));
  });
}
