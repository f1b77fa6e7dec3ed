// Leaves a server that cannot take jobs any more. After a failover, an address may already lead to the new primary,
// while an open connection stays with the old one, which refuses each write. Only a new connection helps.

import { readRefusalCode } from "./redis-refusal.ts";

/**
 * The refusals of a server that is not, or not yet, a primary with its data: it became a replica, it loads its data, or
 * it lost its own primary.
 */
const WRONG_SERVER = new Set(["READONLY", "LOADING", "MASTERDOWN"]);
/**
 * The shortest time between two reconnects of one connection. Where a replica is the only server for minutes, each
 * command would otherwise cost a connection.
 */
const RECONNECT_PACE_MS = 1_000;

/**
 * Makes the option `reconnectOnError` of one connection. The command that was refused fails: a producer then uses the
 * other store, and a consumer asks again.
 * @param now milliseconds of a clock that never goes back.
 */
export function paceReconnects(now: () => number = () => performance.now()): (error: Error) => boolean {
  let lastMs = -Infinity;
  return (error) => {
    const code = readRefusalCode(error);
    if (code === undefined || !WRONG_SERVER.has(code) || now() - lastMs < RECONNECT_PACE_MS) return false;
    lastMs = now();
    return true;
  };
}
