import type { ClaimedDelivery } from "@sluice/store/delivery/deliveries";
import { expect, test } from "vitest";

import { Reservation } from "./reservation.ts";

const DELIVERY = { id: "a" } as ClaimedDelivery;

test("ends once: what was accepted or cancelled can be neither again", () => {
  const calls: unknown[] = [];
  const holder = { takeReserved: (delivery: unknown) => calls.push(delivery), freeReserved: () => calls.push("free") };
  const accepted = new Reservation(holder);
  accepted.accept(DELIVERY);
  const cancelled = new Reservation(holder);
  cancelled.cancel();
  for (const [reservation, kind] of [
    [accepted, "accepted"],
    [cancelled, "cancelled"],
  ] as const) {
    expect(() => reservation.accept(DELIVERY)).toThrow(`is ${kind} already`);
    expect(() => reservation.cancel()).toThrow(`is ${kind} already`);
  }
  expect(calls).toEqual([DELIVERY, "free"]);
});
