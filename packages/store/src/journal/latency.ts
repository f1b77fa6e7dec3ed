// The histogram in which the figures keep the durations of attempts: ten buckets for each power of ten, from a
// millisecond to the longest attempt. A percentile is shown as the middle of its bucket, with an error of 12 % at most.

const BUCKETS_PER_DECADE = 10;
/** The last bound is 31.6 seconds: no attempt takes longer than 30. */
const LAST_EXPONENT = 45;

/** The upper bounds of the buckets in milliseconds, each included. The last bucket takes every longer duration. */
export const LATENCY_BOUNDS_MS: readonly number[] = [
  ...Array.from({ length: LAST_EXPONENT + 1 }, (_, index) => 10 ** (index / BUCKETS_PER_DECADE)),
  Number.POSITIVE_INFINITY,
];

/**
 * The duration that stands for a bucket, in milliseconds: its geometric middle, which halves the error. The first and
 * the last bucket are open at one side, and their known bound stands for them.
 */
export function latencyOfBucket(bucket: number): number {
  const lower = LATENCY_BOUNDS_MS[Math.max(bucket - 1, 0)] ?? 0;
  const upper = LATENCY_BOUNDS_MS[bucket] ?? lower;
  return Number((Number.isFinite(upper) ? Math.sqrt(lower * upper) : lower).toPrecision(3));
}
