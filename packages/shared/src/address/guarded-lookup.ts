// Checks an address where a connection is made, so that no second DNS answer can come between the check and the
// connection. Whoever connects asks three times: before it connects, in the socket's own look-up, and with the address
// that the socket really has. Failure policy: closed.

import type { LookupFunction } from "node:net";

import type { AddressGuard } from "./guard.ts";
import type { ResolveHost } from "./resolve-host.ts";

/** A host has an address that is not allowed. The message says which address, and by which rule. */
export class AddressRefused extends Error {
  constructor(reason: string) {
    super(`address refused: ${reason}`);
    this.name = "AddressRefused";
  }
}

/**
 * Judges a host right before a connection to it. A host that is an address is never looked up, so this judgement is the
 * only one before the connection.
 * @param host the host of a parsed URL.
 * @returns the reason why nothing may connect to the host; undefined when the look-up decides, or when it is open.
 */
export async function refuseDestination(guard: AddressGuard, host: string, port: number): Promise<string | undefined> {
  return (await guard.locateOwnServices(port)) ?? guard.refuseHost(host, port);
}

/**
 * Hands only allowed addresses to the socket, which may try each of them.
 * @param refuse the reason why an address of a host is refused. Node does not tell a look-up the port, so the caller
 *   knows it.
 */
export function guardLookup(
  refuse: (host: string, address: string) => string | undefined,
  resolve: ResolveHost,
): LookupFunction {
  return (host, options, done) => {
    resolve(host, { ...options, all: true }, (error, addresses) => {
      if (error !== null) {
        done(error, "");
        return;
      }
      const judged = addresses.map((one) => ({ ...one, reason: refuse(host, one.address) }));
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
