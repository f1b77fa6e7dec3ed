// Room in a lane for one delivery that is about to be stored. A reservation ends exactly once: the lane gets the
// delivery, or gets its room back.

import type { ClaimedDelivery } from "@sluice/store/delivery/deliveries";

type ReservationState = { kind: "held" } | { kind: "accepted" } | { kind: "cancelled" };

/** The lane's side of its reservations. */
export interface ReservationHolder {
  /** The delivery is stored and leased to this worker. */
  takeReserved: (delivery: ClaimedDelivery) => void;
  freeReserved: () => void;
}

export class Reservation {
  readonly #holder: ReservationHolder;
  #state: ReservationState = { kind: "held" };

  constructor(holder: ReservationHolder) {
    this.#holder = holder;
  }

  accept(delivery: ClaimedDelivery): void {
    this.#end({ kind: "accepted" });
    this.#holder.takeReserved(delivery);
  }

  cancel(): void {
    this.#end({ kind: "cancelled" });
    this.#holder.freeReserved();
  }

  #end(state: ReservationState): void {
    if (this.#state.kind !== "held") throw new Error(`The reservation is ${this.#state.kind} already`);
    this.#state = state;
  }
}
