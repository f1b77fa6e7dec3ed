// How often each network may try API keys that are not valid. A key cannot be guessed because it is random. This limit
// only tells a wrongly configured client, or a scanner, to stop. It never refuses a valid key.

import { networkOf } from "@sluice/shared/address/network-of";

/** The number of tries that a network may make at once. After that it gets one more for each interval. */
const BURST = 10;
const INTERVAL_MS = 6_000;
/**
 * The number of networks that are remembered. Beyond it, the network that tried longest ago is forgotten: an attacker
 * can have any number of networks, and must not fill the memory with them.
 */
const MAX_NETWORKS = 10_000;

export class FailedTries {
  /** The time at which each network has all its tries again. The map is in the order of the networks' last tries. */
  readonly #fullAtMs = new Map<string, number>();

  /**
   * Counts one try.
   * @returns 0 when the try was within the limit, otherwise the number of seconds to wait before the next one.
   */
  add(address: string | undefined, nowMs: number): number {
    const network = networkOf(address ?? "");
    const fullAtMs = Math.max(nowMs, this.#fullAtMs.get(network) ?? 0);
    const usedMs = fullAtMs - nowMs;
    const isWithin = usedMs + INTERVAL_MS <= BURST * INTERVAL_MS;
    this.#fullAtMs.delete(network);
    // A refused try does not lengthen the wait, so a client that goes on trying gets one answer per interval.
    this.#fullAtMs.set(network, isWithin ? fullAtMs + INTERVAL_MS : fullAtMs);
    const [oldest] = this.#fullAtMs.keys();
    if (this.#fullAtMs.size > MAX_NETWORKS && oldest !== undefined) this.#fullAtMs.delete(oldest);
    return isWithin ? 0 : Math.ceil((usedMs + INTERVAL_MS - BURST * INTERVAL_MS) / 1000);
  }
}
