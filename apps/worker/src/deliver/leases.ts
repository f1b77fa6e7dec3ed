// The deliveries that this worker has in hand. While one is here its lease is renewed, so that no other worker
// takes it; when the worker dies the lease runs out and the sweep of another finds it.

import type { Logger } from "@sluice/shared/runtime/log";
import { sparing } from "@sluice/shared/runtime/sparing-log";
import type { Database } from "@sluice/store/connection/database";
import { type Lease, renewLeases } from "@sluice/store/delivery/deliveries";

/** Longer than the longest attempt (30 s), so that one missed renewal repeats nothing. */
const LEASE_MS = 45_000;
const RENEW_MS = 15_000;

export class Leases {
  readonly lease: Lease;
  readonly #db: Database;
  readonly #log: Logger;
  readonly #held = new Set<string>();
  readonly #timer: NodeJS.Timeout;

  constructor(db: Database, workerId: string, log: Logger) {
    this.lease = { workerId, durationMs: LEASE_MS };
    this.#db = db;
    this.#log = log;
    this.#timer = setInterval(() => void this.#renew(), RENEW_MS);
  }

  /** @returns whether the delivery was not in hand before. */
  hold(deliveryId: string): boolean {
    if (this.#held.has(deliveryId)) return false;
    this.#held.add(deliveryId);
    return true;
  }

  holds(deliveryId: string): boolean {
    return this.#held.has(deliveryId);
  }

  release(deliveryId: string): void {
    this.#held.delete(deliveryId);
  }

  async #renew(): Promise<void> {
    if (this.#held.size === 0) return;
    try {
      await renewLeases(this.#db, [...this.#held], this.lease);
    } catch (error) {
      // Failure policy: open. The attempts go on; at worst another worker repeats them.
      sparing(this.#log).warn({ err: error, held: this.#held.size }, "leases not renewed");
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
