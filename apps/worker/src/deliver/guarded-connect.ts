// Connects to targets, and refuses forbidden addresses. The check stands where the connection is made, so that no
// second DNS answer can come between the check and the connection. Failure policy: closed.

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

/** A target has an address that is not allowed. The message says which address, and by which rule. */
export class AddressRefused extends Error {
  constructor(reason: string) {
    super(`address refused: ${reason}`);
    this.name = "AddressRefused";
  }
}

/** As long as the longest attempt: after that nobody waits for the connection any more. */
const CONNECT_TIMEOUT_MS = 30_000;

/** A connector for undici's option `connect`. The deadline of the attempt covers the connection too. */
export function guardConnections(
  guard: AddressGuard,
  resolve: ResolveHost = resolveWithSystem,
): buildConnector.connector {
  const connect = buildConnector({ timeout: CONNECT_TIMEOUT_MS, allowH2: false, lookup: guardLookup(guard, resolve) });
  return (options, callback) => {
    // A host that is an address already is never looked up, so the look-up below does not check it.
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
      // A second check of the address that the socket really has, before anything is sent. It refuses only if the first
      // check is wrong.
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

/** Hands only allowed addresses to the socket, which may try each of them. */
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
