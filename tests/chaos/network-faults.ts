// These faults cut each connection between the relay and a store after a random number of bytes, often in the middle of a
// message.

import { type Fault, LEASE_RECOVER_LIMIT_MS } from "./fault.ts";
import type { Role, StoreName } from "./stage.ts";

/** The size of several commands and answers. */
const MAX_BYTES = 20_000;

function cutAtRandom(role: Role, store: StoreName): Fault {
  return {
    name: `${role}-${store}-cut`,
    about: `every connection between the ${role}s and ${store === "redis" ? "Redis" : "PostgreSQL"} is cut at a random byte, for 4 s`,
    holdMs: 4_000,
    prepare: () => ({ options: { proxied: { role, store } } }),
    inject: async ({ proxy, random }) => proxy?.cutAt(() => random.integer(0, MAX_BYTES)),
    undo: async ({ proxy }) => proxy?.mend(),
    recoverLimitMs: LEASE_RECOVER_LIMIT_MS,
  };
}

export const networkFaults: Fault[] = [
  cutAtRandom("gateway", "redis"),
  cutAtRandom("gateway", "postgres"),
  cutAtRandom("worker", "redis"),
  cutAtRandom("worker", "postgres"),
];
