// Decides how fast a bulk retry goes: as fast as its targets accept the deliveries that it makes due. A faster
// operation would only delay the events that arrive meanwhile.

/** A target with deliveries that a step made due. */
export interface PacedTarget {
  /** True when workers send to the target: it is enabled, its breaker is closed, and it does not pull. */
  isTaking: boolean;
  maxInFlight: number;
  /** How many requests a second its rate limit allows; null without one. */
  perSecond: number | null;
  /** The number of deliveries that are due and in nobody's hands; the count stops at {@link maxDue} plus one. */
  due: number;
}

const PAUSE_MS = 1_000;
/** The requests that a target which answers in 10 ms finishes in the pause, for each that it takes at once. */
const DUE_PER_REQUEST = 100;

/** The number of deliveries that may be due for a target before an operation pauses. */
export function maxDue(maxInFlight: number, perSecond: number | null = null): number {
  return Math.min(maxInFlight * DUE_PER_REQUEST, Math.ceil(((perSecond ?? Infinity) * PAUSE_MS) / 1_000));
}

/**
 * The pause before the next step in milliseconds. A target that takes nothing causes no pause: its deliveries wait in
 * any case, and an operation that waited for a paused target would hold back all other targets.
 */
export function pauseBeforeNextStepMs(targets: readonly PacedTarget[]): number {
  return targets.some((target) => target.isTaking && target.due > maxDue(target.maxInFlight, target.perSecond))
    ? PAUSE_MS
    : 0;
}
