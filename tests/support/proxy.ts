// The way to a store, which a test can cut: connections are reset and new ones refused until it is restored.

import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

export interface Proxy {
  /** The store's URL, through here. */
  url: string;
  cut: () => Promise<void>;
  restore: () => Promise<void>;
  /** Nothing passes any more, and no connection ends, until it is cut or thawed. */
  freeze: () => void;
  /** What was sent meanwhile arrives. */
  thaw: () => void;
}

export async function startProxy(storeUrl: string, defaultPort: number): Promise<Proxy> {
  const store = new URL(storeUrl);
  /** Each with the one that it is piped to. */
  const sockets = new Map<Socket, Socket>();
  let server: Server | undefined;
  let isFrozen = false;
  const listen = async (port: number) => {
    server = createServer((near) => {
      const far = connect(Number(store.port || defaultPort), store.hostname);
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        sockets.set(from, to);
        // One end's fault is the other's end.
        from.on("error", () => to.destroy()).on("close", () => (to.destroy(), sockets.delete(from)));
        if (!isFrozen) from.pipe(to);
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
      for (const [from, to] of sockets) from.pipe(to);
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
