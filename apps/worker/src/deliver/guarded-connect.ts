// Connections to targets, each to an address that was checked right before. The check is where the connection is made,
// so that no second answer of DNS comes in between. Failure policy: closed.

import { lookup as resolveWithSystem, type LookupAddress, type LookupAllOptions } from "node:dns";
import type { LookupFunction } from "node:net";

import type { AddressGuard } from "@sluice/shared/address/guard";
import { buildConnector } from "undici";

/** All addresses of a host, as `dns.lookup` gives them. */
export type ResolveHost = (
  host: string,
  options: LookupAllOptions,
  done: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

/** A target's address is one that it may not have. Its message says which, and by what rule. */
export class AddressRefused extends Error {
  constructor(reason: string) {
    super(`address refused: ${reason}`);
    this.name = "AddressRefused";
  }
}

/** As long as the longest attempt: then nobody waits for the connection, and the body that it was for is let go. */
const CONNECT_TIMEOUT_MS = 30_000;

/** For undici's option `connect`. The attempt's own deadline covers the connection. */
export function guardConnections(
  guard: AddressGuard,
  resolve: ResolveHost = resolveWithSystem,
): buildConnector.connector {
  const connect = buildConnector({ timeout: CONNECT_TIMEOUT_MS, allowH2: false, lookup: guardLookup(guard, resolve) });
  return (options, callback) => {
    // Sockets do not look up what is an address already.
    const reason = guard.refuseHost(options.hostname);
    if (reason !== undefined) {
      callback(new AddressRefused(reason), null);
      return;
    }
    connect(options, (...[error, socket]) => {
      if (error !== null) {
        callback(error, null);
        return;
      }
      // Nothing was sent yet. What is found here would be a fault of the check above.
      const address = socket.remoteAddress;
      const late = guard.refuseAddress(options.hostname, address ?? "unknown");
      if (late === undefined) {
        callback(null, socket);
        return;
      }
      socket.destroy();
      callback(new AddressRefused(late), null);
    });
  };
}

/** Only what passes is handed to the socket, which may try each of them. */
function guardLookup(guard: AddressGuard, resolve: ResolveHost): LookupFunction {
  return (host, options, done) => {
    resolve(host, { ...options, all: true }, (error, addresses) => {
      if (error !== null) {
        done(error, "");
        return;
      }
      const judged = addresses.map((one) => ({ ...one, reason: guard.refuseAddress(host, one.address) }));
      const open = judged
        .filter(({ reason }) => reason === undefined)
        .map(({ address, family }) => ({ address, family }));
      const [first] = open;
      if (first === undefined) {
        done(new AddressRefused(judged[0]?.reason ?? `${host}: no address`), "");
      } else if (options.all === true) {
        done(null, open);
      } else {
        done(null, first.address, first.family);
      }
    });
  };
}
