// The resolver of host names that all checks of addresses share. A test puts its own in its place.

import { lookup, type LookupAddress, type LookupAllOptions } from "node:dns";

/** All addresses of a host, as `dns.lookup` gives them. */
export type ResolveHost = (
  host: string,
  options: LookupAllOptions,
  done: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

export const resolveWithSystem: ResolveHost = lookup;
