// Decides when Redis takes jobs and when Redis is probed. The functions are pure: the caller passes in the clock and
// the random number. A job never tries out a distrusted Redis: only a probe that passes makes Redis trusted again.

/** The pause between probes of a trusted Redis. Somebody may change the settings of Redis at any time. */
const CHECK_MS = 30_000;
/**
 * The first pause before a distrusted Redis is probed; short, because PostgreSQL is slower. It doubles up to the
 * maximum.
 */
const FIRST_PROBE_MS = 500;
const MAX_PROBE_MS = 4_000;
/** Each pause is up to a quarter shorter or longer, so that many processes do not probe at the same moment. */
const JITTER = 0.25;

/**
 * `period` counts how often Redis became trusted: an attempt belongs to the period in which it began. `probeAtMs` is
 * when the next probe is due, in milliseconds of the clock that the caller passes in.
 */
export type RedisGate =
  /** Jobs go to Redis. */
  | { readonly kind: "trusted"; readonly period: number; readonly probeAtMs: number }
  /** Jobs go to PostgreSQL. `failedProbes` counts the probes that failed one after the other. */
  | { readonly kind: "distrusted"; readonly period: number; readonly failedProbes: number; readonly probeAtMs: number };

/** The state of a new process. It distrusts a Redis that was never probed; a new connection brings the first probe. */
export function distrustAtStart(nowMs: number): RedisGate {
  return { kind: "distrusted", period: 0, failedProbes: 0, probeAtMs: nowMs + FIRST_PROBE_MS };
}

/**
 * An attempt to add a job failed. An attempt that began in an earlier period says nothing about Redis now.
 * @param period the period in which the attempt began.
 * @param random from [0, 1).
 * @returns the same object when nothing changes.
 * @throws Error when the period has not begun yet.
 */
export function applyFailedAttempt(gate: RedisGate, period: number, nowMs: number, random: number): RedisGate {
  if (period > gate.period) throw new Error(`An attempt failed in period ${period}, and this is period ${gate.period}`);
  if (gate.kind === "distrusted" || period < gate.period) return gate;
  return distrust(gate.period, 0, nowMs, random);
}

/** A probe failed. @param random from [0, 1). */
export function applyFailedProbe(gate: RedisGate, nowMs: number, random: number): RedisGate {
  const failedProbes = gate.kind === "distrusted" ? gate.failedProbes + 1 : 0;
  return distrust(gate.period, failedProbes, nowMs, random);
}

/** A probe passed. A trusted Redis stays in its period. */
export function applyPassedProbe(gate: RedisGate, nowMs: number): RedisGate {
  const period = gate.kind === "trusted" ? gate.period : gate.period + 1;
  return { kind: "trusted", period, probeAtMs: nowMs + CHECK_MS };
}

function distrust(period: number, failedProbes: number, nowMs: number, random: number): RedisGate {
  const pauseMs = Math.min(FIRST_PROBE_MS * 2 ** failedProbes, MAX_PROBE_MS);
  const probeAtMs = nowMs + pauseMs * (1 - JITTER + 2 * JITTER * random);
  return { kind: "distrusted", period, failedProbes, probeAtMs };
}
