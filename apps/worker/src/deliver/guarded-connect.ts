// Connects to targets, and refuses forbidden addresses. The check stands where the connection is made, so that no
// second DNS answer can come between the check and the connection. Failure policy: closed.

import { type AddressGuard, portOf } from "@sluice/shared/address/guard";
import { AddressRefused, guardLookup, refuseDestination } from "@sluice/shared/address/guarded-lookup";
import { type ResolveHost, resolveWithSystem } from "@sluice/shared/address/resolve-host";
import { buildConnector } from "undici";

/** As long as the longest attempt: after that nobody waits for the connection any more. */
const CONNECT_TIMEOUT_MS = 30_000;
/** In place of every port at which the relay itself has no service. There the judgement does not depend on the port. */
const ANY_OTHER_PORT = 0;

/** A connector for undici's option `connect`. The deadline of the attempt covers the connection too. */
export function guardConnections(
  guard: AddressGuard,
  resolve: ResolveHost = resolveWithSystem,
): buildConnector.connector {
  const connectorTo = (port: number) => {
    const lookup = guardLookup((host, address) => guard.refuseAddress(host, address, port), resolve);
    return buildConnector({ timeout: CONNECT_TIMEOUT_MS, allowH2: false, lookup });
  };
  const connect = connectorTo(ANY_OTHER_PORT);
  const toOwnPorts = new Map(guard.ownPorts.map((port) => [port, connectorTo(port)]));
  return (options, callback) => {
    const { hostname } = options;
    const port = portOf(options);
    const open = (reason: string | undefined) => {
      if (reason !== undefined) {
        callback(new AddressRefused(reason), null);
        return;
      }
      (toOwnPorts.get(port) ?? connect)(options, (...[error, socket]) => {
        if (error !== null) {
          callback(error, null);
          return;
        }
        // A second check of the address that the socket really has, before anything is sent. It refuses only if the
        // first check is wrong.
        const late = guard.refuseAddress(hostname, socket.remoteAddress ?? "unknown", port);
        if (late === undefined) {
          callback(null, socket);
          return;
        }
        socket.destroy();
        callback(new AddressRefused(late), null);
      });
    };
    void refuseDestination(guard, hostname, port).then(open);
  };
}
