// Hands out ports that a process can listen on again after it was killed. They are below the ports that the system
// gives to outgoing connections, one of which could otherwise take a port while its owner is away.

import { createServer } from "node:net";

const LOWEST = 12_000;
/** Linux gives outgoing connections the ports from 32768 on, other systems those from 49152 on. */
const HIGHEST = 32_000;
const given = new Set<number>();

/** A port of the loopback address that nobody listens on. This process gets each port once. */
export async function claimPort(): Promise<number> {
  for (;;) {
    // Math.random and not the seed of a chaos run, because two runs with the same seed must not want the same ports.
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
