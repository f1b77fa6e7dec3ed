// Makes a test's own server listen on the loopback address.

import type { AddressInfo, Server } from "node:net";

/** @returns the port that the server listens on; a free one when none is given. */
export async function listenOnLoopback(server: Server, port = 0): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(port, "127.0.0.1", () => {
      server.off("error", reject);
      resolve();
    });
  });
  return (server.address() as AddressInfo).port;
}
