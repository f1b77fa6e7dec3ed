// The histogram of durations that figures are kept in: ten buckets a decade, from a millisecond to the limit of an
// attempt. A percentile is the middle of its bucket, which is wrong by 12 % at most.

const BUCKETS_PER_DECADE = 10;
/** 31.6 seconds: no attempt takes longer than 30. */
const LAST_EXPONENT = 45;

/** The upper bounds of the buckets in milliseconds, each included; the last takes everything. */
export const LATENCY_BOUNDS_MS: readonly number[] = [
  ...Array.from({ length: LAST_EXPONENT + 1 }, (_, index) => 10 ** (index / BUCKETS_PER_DECADE)),
  Number.POSITIVE_INFINITY,
];

/**
 * What a duration in a bucket is shown as: the geometric middle, which halves the error. The first and the last have
 * none, and stand for their known end.
 */
export function latencyOfBucket(bucket: number): number {
  const lower = LATENCY_BOUNDS_MS[Math.max(bucket - 1, 0)] ?? 0;
  const upper = LATENCY_BOUNDS_MS[bucket] ?? lower;
  return Number((Number.isFinite(upper) ? Math.sqrt(lower * upper) : lower).toPrecision(3));
}
