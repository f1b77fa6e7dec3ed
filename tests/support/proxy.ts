// The way to a store, which a test can cut: connections are reset and new ones refused until it is restored, or each
// connection ends at a byte of the test's choice, in the middle of whatever travels.

import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { Transform } from "node:stream";

export interface Proxy {
  /** The store's URL, through here. */
  url: string;
  cut: () => Promise<void>;
  restore: () => Promise<void>;
  /** Nothing passes any more, and no connection ends, until it is cut or thawed. */
  freeze: () => void;
  /** What was sent meanwhile arrives. */
  thaw: () => void;
  /** Each connection, those that are open and those to come, ends when so many bytes more have passed it. */
  cutAt: (nextBytes: () => number) => void;
  /** No connection ends any more. */
  mend: () => void;
}

interface Link {
  bytesLeft: number | undefined;
}

/** Passes what it gets until the link's bytes are used up, and then resets the connection, whose end closes the other. */
function limited(link: Link, near: Socket): Transform {
  return new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      if (link.bytesLeft === undefined || chunk.length <= link.bytesLeft) {
        if (link.bytesLeft !== undefined) link.bytesLeft -= chunk.length;
        done(null, chunk);
        return;
      }
      done(null, chunk.subarray(0, link.bytesLeft));
      link.bytesLeft = 0;
      // After the part has been written.
      setImmediate(() => near.destroy());
    },
  });
}

export async function startProxy(storeUrl: string, defaultPort: number): Promise<Proxy> {
  const store = new URL(storeUrl);
  /** Each with what it is piped to. */
  const sockets = new Map<Socket, Transform>();
  /** Of each open connection. */
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
        const gate = limited(link, near);
        gate.pipe(to);
        sockets.set(from, gate);
        // One end's fault is the other's end.
        from.on("error", () => to.destroy()).on("close", () => (to.destroy(), sockets.delete(from)));
        if (!isFrozen) from.pipe(gate);
      }
    });
    await new Promise<void>((resolve, reject) => {
      server?.once("error", reject).listen(port, "127.0.0.1", resolve);
    });
    return (server.address() as AddressInfo).port;
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
