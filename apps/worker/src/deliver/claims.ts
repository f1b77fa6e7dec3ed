// Takes deliveries in hand for the lanes, and lets go of them: their leases, and the memory that their bodies take.

import type { ClaimedDelivery } from "@sluice/store/delivery/deliveries";

import type { BodyBudget } from "./body-budget.ts";
import type { Leases } from "./leases.ts";

/** A delivery whose lease this worker keeps alive until it is released or handed back. */
export interface InHand {
  delivery: ClaimedDelivery;
  /** `performance.now()`: the deadline of the delivery counts from here. */
  takenAt: number;
}

/** What a delivery in hand takes beside its body: hundreds of thousands of small ones are much memory too. */
const OVERHEAD_BYTES = 400;

export class Claims {
  readonly #leases: Pick<Leases, "claimDue" | "claimOne" | "handBack" | "hold" | "release">;
  readonly #bodies: BodyBudget;

  constructor(leases: Pick<Leases, "claimDue" | "claimOne" | "handBack" | "hold" | "release">, bodies: BodyBudget) {
    this.#leases = leases;
    this.#bodies = bodies;
  }

  /** Claims what is due for a target. `isFull` says that the claim stopped at a limit, so that more may be due. */
  async claimUpTo(targetId: string, limit: number): Promise<{ taken: InHand[]; isFull: boolean }> {
    const maxBytes = this.#bodies.takeForClaim();
    try {
      const claimed = await this.#leases.claimDue(targetId, limit, maxBytes);
      const taken = claimed.map((delivery) => this.hold(delivery)).filter((one) => one !== undefined);
      const claimedBytes = claimed.reduce((sum, { body }) => sum + body.length, 0);
      return { taken, isFull: claimed.length >= limit || claimedBytes >= maxBytes };
    } finally {
      this.#bodies.giveBack(maxBytes);
    }
  }

  /** Claims one delivery. Undefined when it is not due, or a lane of this worker has taken it meanwhile. */
  async claimOne(deliveryId: string): Promise<InHand | undefined> {
    const delivery = await this.#leases.claimOne(deliveryId);
    return delivery && this.hold(delivery);
  }

  /**
   * @returns undefined when it is in hand already: a claim can bring such a one after PostgreSQL was away for longer
   * than a lease.
   */
  hold(delivery: ClaimedDelivery): InHand | undefined {
    if (!this.#leases.hold(delivery.id)) return undefined;
    this.#bodies.take(delivery.body.length + OVERHEAD_BYTES);
    return { delivery, takenAt: performance.now() };
  }

  release({ delivery }: InHand): void {
    this.#leases.release(delivery.id);
    this.#bodies.giveBack(delivery.body.length + OVERHEAD_BYTES);
  }

  /**
   * Makes deliveries due for any worker. @throws when PostgreSQL is away; then their leases run out, and the sweep
   * finds them.
   */
  async handBack(inHand: readonly InHand[]): Promise<void> {
    try {
      await this.#leases.handBack(inHand.map(({ delivery }) => delivery.id));
    } finally {
      for (const one of inHand) this.release(one);
    }
  }
}
