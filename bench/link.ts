// A TCP connection between two machines of a measurement. It passes data on after a delay, to a port that can change.
// What it holds is lost when it is cut, as the data in the send buffers of a machine that dies.

import { connect, createServer, type Socket } from "node:net";

import { listenOnLoopback } from "../tests/support/listen.ts";

export interface Link {
  /** The port of loopback that stands for the other machine. */
  port: number;
  /** Ends all connections; the next ones go to this port. */
  moveTo: (port: number) => void;
  /** Ends all connections and refuses new ones. */
  cut: () => void;
}

/** @param delayMs the delay from the machine at `toPort` back to whoever connects; the other way has none. */
export async function openLink(toPort: number, delayMs: number): Promise<Link> {
  let destination = toPort;
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(destination, "127.0.0.1");
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      socket.on("error", () => other.destroy()).on("close", () => (other.destroy(), sockets.delete(socket)));
    }
    near.pipe(far);
    if (delayMs === 0) far.pipe(near);
    else far.on("data", (chunk) => setTimeout(() => near.destroyed || near.write(chunk), delayMs));
  });
  const port = await listenOnLoopback(server);
  const endAll = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port,
    moveTo: (next) => {
      destination = next;
      endAll();
    },
    cut: () => {
      server.close();
      endAll();
    },
  };
}
