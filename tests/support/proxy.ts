// A TCP proxy in front of a store, which a test can cut, freeze, or make end each connection after a number of bytes,
// in the middle of a message.

import { connect, createServer, type Server, type Socket } from "node:net";
import { Transform } from "node:stream";

import { listenOnLoopback } from "./listen.ts";

export interface Proxy {
  /** The URL of the store through this proxy. */
  url: string;
  /** Ends all connections, and refuses new ones until `restore`. */
  cut: () => Promise<void>;
  restore: () => Promise<void>;
  /** Holds all data back, without ending a connection, until `thaw` or `cut`. */
  freeze: () => void;
  /** Passes on what was held back. */
  thaw: () => void;
  /** Ends each open and each later connection when it has passed `nextBytes()` more bytes. */
  cutAt: (nextBytes: () => number) => void;
  /** Undoes `cutAt`. */
  mend: () => void;
  /** Sends new connections to another store. The open ones stay where they are, as behind a Kubernetes Service. */
  redirect: (storeUrl: string) => void;
}

/** One connection from a client to the store. */
interface Link {
  /** The number of bytes after which the connection ends; undefined when it does not. */
  bytesLeft: number | undefined;
}

/**
 * Passes data on until the bytes of the link are used up, and then closes the client's side, which closes the other.
 */
function limitBytes(link: Link, near: Socket): Transform {
  return new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      if (link.bytesLeft === undefined || chunk.length <= link.bytesLeft) {
        if (link.bytesLeft !== undefined) link.bytesLeft -= chunk.length;
        done(null, chunk);
        return;
      }
      done(null, chunk.subarray(0, link.bytesLeft));
      link.bytesLeft = 0;
      // Closes the connection only after the last part has been written.
      setImmediate(() => near.destroy());
    },
  });
}

export async function startProxy(storeUrl: string, defaultPort: number): Promise<Proxy> {
  let store = new URL(storeUrl);
  /** Both sockets of each connection, each with the transform that it is piped to. */
  const sockets = new Map<Socket, Transform>();
  /** The open connections. */
  const links = new Set<Link>();
  let nextBytes: (() => number) | undefined;
  let server: Server | undefined;
  let isFrozen = false;
  const listen = async (port: number) => {
    server = createServer((near) => {
      const far = connect(Number(store.port || defaultPort), store.hostname);
      const link: Link = { bytesLeft: nextBytes?.() };
      links.add(link);
      near.on("close", () => links.delete(link));
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        const gate = limitBytes(link, near);
        gate.pipe(to);
        sockets.set(from, gate);
        // When one socket fails or closes, the other is closed too.
        from.on("error", () => to.destroy()).on("close", () => (to.destroy(), sockets.delete(from)));
        if (!isFrozen) from.pipe(gate);
      }
    });
    return listenOnLoopback(server, port);
  };
  const port = await listen(0);
  const url = new URL(storeUrl);
  url.host = `127.0.0.1:${port}`;
  return {
    url: url.href,
    freeze: () => {
      isFrozen = true;
      for (const socket of sockets.keys()) socket.unpipe().pause();
    },
    thaw: () => {
      isFrozen = false;
      for (const [from, gate] of sockets) from.pipe(gate);
    },
    cutAt: (choose) => {
      nextBytes = choose;
      for (const link of links) link.bytesLeft = choose();
    },
    mend: () => {
      nextBytes = undefined;
      for (const link of links) link.bytesLeft = undefined;
    },
    redirect: (otherUrl) => {
      store = new URL(otherUrl);
    },
    cut: async () => {
      isFrozen = false;
      const closed = new Promise((resolve) => server?.close(resolve));
      for (const socket of sockets.keys()) socket.destroy();
      await closed;
    },
    restore: async () => {
      await listen(port);
    },
  };
}
