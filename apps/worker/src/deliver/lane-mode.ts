// What a lane may do now. The mode follows from three facts that others own: the worker runs or stops, the target is
// enabled or not, and its circuit breaker is closed, open, or open with a probe due.

import type { Target } from "@sluice/store/configuration/targets";

import type { Gate } from "../breaker/breaker.ts";

export type LaneMode =
  /** Sends what waits, and claims more. */
  | { kind: "sending"; target: Target }
  /** The breaker is open, and one delivery may be sent as its probe. */
  | { kind: "probing"; target: Target }
  /** The breaker is open: deliveries stay due and cost neither memory nor a slot. */
  | { kind: "blocked" }
  /** The target is paused, disabled or deleted, or fetches its deliveries itself. */
  | { kind: "closed" }
  /** The worker stops. There is no way back. */
  | { kind: "stopping" };

/**
 * @param target undefined once it is deleted.
 * @param readGate called only when the breaker decides.
 */
export function laneMode(isStopping: boolean, target: Target | undefined, readGate: () => Gate): LaneMode {
  if (isStopping) return { kind: "stopping" };
  if (target?.state !== "enabled" || target.kind === "pull") return { kind: "closed" };
  switch (readGate()) {
    case "closed":
      return { kind: "sending", target };
    case "probe":
      return { kind: "probing", target };
    case "open":
      return { kind: "blocked" };
  }
}
