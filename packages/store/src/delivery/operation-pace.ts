// How fast a bulk retry goes: as fast as its targets take what it makes due. More would only stand in the way of what
// comes meanwhile.

/** A target of deliveries that a step made due. */
export interface PacedTarget {
  /** Enabled, and its breaker closed. */
  isTaking: boolean;
  maxInFlight: number;
  /** Deliveries that are due and in nobody's hands; counted up to {@link maxDue} and one more. */
  due: number;
}

const PAUSE_MS = 1_000;
/** What a target that answers in 10 ms gets through in the pause. */
const DUE_PER_PLACE = 100;

/** How many may be due for a target while an operation goes on. */
export function maxDue(maxInFlight: number): number {
  return maxInFlight * DUE_PER_PLACE;
}

/**
 * Until the next step, in milliseconds. What waits for a target that takes nothing holds nobody up: it waits whether it
 * is made due now or later, and an operation that waited for a paused target would hold back all the others.
 */
export function pauseBeforeNextStep(targets: readonly PacedTarget[]): number {
  return targets.some(({ isTaking, due, maxInFlight }) => isTaking && due > maxDue(maxInFlight)) ? PAUSE_MS : 0;
}
