// Connects to targets, and refuses forbidden addresses. The check stands where the connection is made, so that no
// second DNS answer can come between the check and the connection. Failure policy: closed.

import type { LookupAddress } from "node:dns";
import { isIP } from "node:net";
import type { ConnectionOptions } from "node:tls";

import { type AddressGuard, portOf } from "@sluice/shared/address/guard";
import { AddressRefused, guardLookup, refuseDestination } from "@sluice/shared/address/guarded-lookup";
import { type ResolveHost, resolveWithSystem } from "@sluice/shared/address/resolve-host";
import { buildConnector } from "undici";

import { connectToFirst } from "./connect-first.ts";
import type { OpenSockets } from "./open-sockets.ts";

/** As long as the longest attempt: after that nobody waits for the connection any more. */
const CONNECT_SECONDS = 30;

/** A connector for undici's option `connect`. The deadline of the attempt covers the connection too. */
export function guardConnections(
  guard: AddressGuard,
  resolve: ResolveHost = resolveWithSystem,
  sockets?: OpenSockets,
  tls?: Pick<ConnectionOptions, "secureContext" | "servername">,
): buildConnector.connector {
  // For TLS over a socket that is connected. The limit below covers the handshake.
  const secure = buildConnector({ timeout: 0, allowH2: false, ...tls });

  return (options, callback) => {
    const { hostname } = options;
    const port = portOf(options);
    let abort: ((error: Error) => void) | undefined;
    const limit = setTimeout(() => {
      const error = new Error(`no connection to ${hostname} within ${CONNECT_SECONDS} s`);
      abort?.(error);
      settle(error, null);
    }, CONNECT_SECONDS * 1000).unref();
    const uncount = sockets?.expectOne();
    let isSettled = false;
    const settle: buildConnector.Callback = (...result) => {
      if (isSettled) return;
      isSettled = true;
      clearTimeout(limit);
      uncount?.();
      callback(...result);
    };

    const connectTo = (addresses: LookupAddress[]) => {
      if (isSettled) return;
      uncount?.();
      abort = connectToFirst({ addresses, port, sockets }, (...[error, socket]) => {
        if (error !== null) {
          settle(error, null);
          return;
        }
        // A second check of the address that the socket really has, before anything is sent. It refuses only if the
        // first check is wrong.
        const late = guard.refuseAddress(hostname, socket.remoteAddress ?? "unknown", port);
        if (late !== undefined) {
          socket.destroy();
          settle(new AddressRefused(late), null);
        } else if (options.protocol === "https:") {
          abort = (cause) => socket.destroy(cause);
          secure({ ...options, httpSocket: socket }, settle);
        } else {
          settle(null, socket);
        }
      });
    };

    const lookup = guardLookup((host, address) => guard.refuseAddress(host, address, port), resolve);
    const open = (reason: string | undefined) => {
      // A host that is an address already is never looked up, so the look-up does not check it.
      const family = isIP(hostname);
      if (reason !== undefined) settle(new AddressRefused(reason), null);
      else if (family !== 0) connectTo([{ address: hostname, family }]);
      else {
        lookup(hostname, { all: true }, (error, addresses) => {
          if (error !== null) settle(error, null);
          else connectTo(addresses as LookupAddress[]);
        });
      }
    };
    void refuseDestination(guard, hostname, port).then(open);
  };
}
