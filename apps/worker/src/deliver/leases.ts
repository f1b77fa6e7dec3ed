// The deliveries that this worker has in hand, and how it gets them. While a delivery is in hand its lease is renewed,
// so that no other worker takes it. When the worker dies the lease runs out, and the sweep of another worker finds the
// delivery.

import { FreshRuns } from "@sluice/shared/runtime/fresh-runs";
import type { Logger } from "@sluice/shared/runtime/log";
import { sparing } from "@sluice/shared/runtime/sparing-log";
import type { Database } from "@sluice/store/connection/database";
import {
  claimDue,
  type ClaimedDelivery,
  claimOne,
  freeUnheld,
  handBack,
  type Lease,
  renewLeases,
} from "@sluice/store/delivery/deliveries";

/** Longer than the longest attempt (30 s), so that one missed renewal repeats nothing. */
const LEASE_MS = 45_000;
const RENEW_AFTER_MS = 15_000;
/** Nearly all deliveries are released before their first renewal is due, however many there are. */
const LOOK_EVERY_MS = 5_000;
/** Few at a time, so that no statement holds many rows for long. */
const RENEW_BATCH = 5_000;

export class Leases {
  readonly lease: Lease;
  readonly #db: Database;
  readonly #log: Logger;
  /** The ids of the deliveries in hand, with the time from which each lease counts, as `performance.now()`. */
  readonly #held = new Map<string, number>();
  /** The targets whose last claim failed, and when, as `performance.now()`. */
  readonly #failedAtMs = new Map<string, number>();
  #returned: string[] = [];
  readonly #returns = new FreshRuns(() => handBack(this.#db, this.#returned.splice(0), this.lease.workerId));
  readonly #timer: NodeJS.Timeout;

  constructor(db: Database, workerId: string, log: Logger) {
    this.lease = { workerId, durationMs: LEASE_MS };
    this.#db = db;
    this.#log = log;
    this.#timer = setInterval(() => void this.#renew(), LOOK_EVERY_MS);
  }

  /** Claims up to `limit` deliveries that are due for a target, with bodies of about `maxBytes` together. */
  async claimDue(targetId: string, limit: number, maxBytes: number): Promise<ClaimedDelivery[]> {
    await this.#freeLost(targetId);
    try {
      return await claimDue(this.#db, targetId, limit, this.lease, maxBytes);
    } catch (error) {
      this.#failedAtMs.set(targetId, performance.now());
      throw error;
    }
  }

  /** What a failed claim may have leased all the same would otherwise wait until its lease runs out. */
  async #freeLost(targetId: string): Promise<void> {
    const failedAtMs = this.#failedAtMs.get(targetId);
    if (failedAtMs === undefined) return;
    await freeUnheld(this.#db, targetId, [...this.#held.keys()], this.lease, performance.now() - failedAtMs);
    this.#failedAtMs.delete(targetId);
  }

  /** Claims one delivery, if it is due and no worker has it in hand. */
  claimOne(deliveryId: string): Promise<ClaimedDelivery | undefined> {
    return claimOne(this.#db, deliveryId, this.lease);
  }

  /** Makes deliveries that were not attempted due at once, for any worker. Calls at the same time share a statement. */
  handBack(deliveryIds: readonly string[]): Promise<void> {
    for (const id of deliveryIds) this.#returned.push(id);
    return this.#returns.next();
  }

  /** Keeps the lease of a claimed delivery alive until it is released. @returns false when it is in hand already. */
  hold(deliveryId: string): boolean {
    if (this.#held.has(deliveryId)) return false;
    this.#held.set(deliveryId, performance.now());
    return true;
  }

  isHeld(deliveryId: string): boolean {
    return this.#held.has(deliveryId);
  }

  release(deliveryId: string): void {
    this.#held.delete(deliveryId);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #renew(): Promise<void> {
    const nowMs = performance.now();
    const old: string[] = [];
    for (const [id, sinceMs] of this.#held) if (nowMs - sinceMs >= RENEW_AFTER_MS) old.push(id);
    try {
      for (let first = 0; first < old.length; first += RENEW_BATCH) {
        const batch = old.slice(first, first + RENEW_BATCH);
        const fromMs = performance.now();
        await renewLeases(this.#db, batch, this.lease);
        for (const id of batch) if (this.#held.has(id)) this.#held.set(id, fromMs);
      }
    } catch (error) {
      // Failure policy: open. The attempts go on; at worst another worker repeats them.
      sparing(this.#log).warn({ err: error, held: this.#held.size }, "leases not renewed; the attempts go on");
    }
  }
}
