// How often each network may try keys that are not valid. What keeps a key from being guessed is that it is random; this
// tells a client that is set up wrongly, or a scanner, to stop, and never stands in the way of a valid key.

import { isIPv6 } from "node:net";

import { plainAddress } from "@sluice/shared/address/plain-address";

/** At once, and then one for each interval. */
const BURST = 10;
const INTERVAL_MS = 6_000;
/** The one that tried longest ago is forgotten, for an attacker has as many networks as he likes. */
const MAX_NETWORKS = 10_000;

export class FailedTries {
  /** When the network has all its tries again, in the order of their last tries. */
  readonly #fullAtMs = new Map<string, number>();

  /** Counts a try. @returns 0 when it was within the limit, and otherwise how many seconds to wait for the next. */
  add(address: string | undefined, nowMs: number): number {
    const network = networkOf(address ?? "");
    const fullAtMs = Math.max(nowMs, this.#fullAtMs.get(network) ?? 0);
    const usedMs = fullAtMs - nowMs;
    const isWithin = usedMs + INTERVAL_MS <= BURST * INTERVAL_MS;
    this.#fullAtMs.delete(network);
    // One that is refused costs nothing more: who goes on trying gets one answer for each interval.
    this.#fullAtMs.set(network, isWithin ? fullAtMs + INTERVAL_MS : fullAtMs);
    const [oldest] = this.#fullAtMs.keys();
    if (this.#fullAtMs.size > MAX_NETWORKS && oldest !== undefined) this.#fullAtMs.delete(oldest);
    return isWithin ? 0 : Math.ceil((usedMs + INTERVAL_MS - BURST * INTERVAL_MS) / 1000);
  }
}

/** An IPv4 address, or the /64 of an IPv6 address: what one customer of a provider has at least. */
export function networkOf(address: string): string {
  const plain = plainAddress(address).replace(/%.*$/, "");
  if (!isIPv6(plain)) return plain;
  const [head = "", tail] = plain.toLowerCase().split("::");
  const before = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = Array.from({ length: tail === undefined ? 0 : 8 - before.length - after.length }, () => "0");
  const groups = [...before, ...zeros, ...after].slice(0, 4);
  return `${groups.map((group) => Number.parseInt(group, 16).toString(16)).join(":")}::/64`;
}
