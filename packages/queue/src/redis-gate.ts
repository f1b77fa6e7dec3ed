// When the primary store of the queue is tried, and when it is asked how it is: decisions alone, with the clock
// passed in. No request ever tries an open breaker out; only a probe closes it.

/** While everything is well: settings can be changed behind our back. */
const CHECK_MS = 30_000;
/** While it is open: soon, because the fallback is slower, and less often the longer it takes. */
const FIRST_PROBE_MS = 500;
const MAX_PROBE_MS = 4_000;
/** Around it, so that the probes of many processes do not come at once. */
const JITTER = 0.25;

export interface Breaker {
  isOpen: boolean;
  /** Probes that failed one after the other. */
  failures: number;
  /** Counts how often it closed: an attempt belongs to the period in which it began. */
  period: number;
  probeAtMs: number;
}

/** Open until the first probe, which a new connection brings at once: what was never asked is not trusted. */
export function openBreaker(nowMs: number): Breaker {
  return { isOpen: true, failures: 0, period: 0, probeAtMs: nowMs + FIRST_PROBE_MS };
}

/** An attempt failed that began in `period`. One of an earlier period says nothing about now. */
export function afterFailure(breaker: Breaker, period: number, nowMs: number, random: number): Breaker {
  if (breaker.isOpen || period !== breaker.period) return breaker;
  return { ...breaker, isOpen: true, failures: 0, probeAtMs: nowMs + probeDelay(0, random) };
}

export function afterProbe(breaker: Breaker, isWell: boolean, nowMs: number, random: number): Breaker {
  if (!isWell) {
    const failures = breaker.isOpen ? breaker.failures + 1 : 0;
    return { ...breaker, isOpen: true, failures, probeAtMs: nowMs + probeDelay(failures, random) };
  }
  const period = breaker.isOpen ? breaker.period + 1 : breaker.period;
  return { isOpen: false, failures: 0, period, probeAtMs: nowMs + CHECK_MS };
}

function probeDelay(failures: number, random: number): number {
  const delayMs = Math.min(FIRST_PROBE_MS * 2 ** failures, MAX_PROBE_MS);
  return delayMs * (1 - JITTER + 2 * JITTER * random);
}
