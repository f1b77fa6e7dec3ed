// Divides the connections of a process among its pools.

export interface PoolPart {
  /** With fewer connections the pool cannot work. */
  min: number;
  /** The part of the connections above all minimums, in relation to the parts of the other pools. */
  share: number;
}

/**
 * @param total at least the sum of all minimums.
 * @returns the connections of each pool, whose sum is `total`. What cannot be divided goes to the first pools.
 */
export function divideConnections<Name extends string>(
  total: number,
  parts: Record<Name, PoolPart>,
): Record<Name, number> {
  const entries = Object.entries<PoolPart>(parts);
  const rest = total - entries.reduce((sum, [, { min }]) => sum + min, 0);
  const shares = entries.reduce((sum, [, { share }]) => sum + share, 0);
  if (rest < 0) throw new RangeError(`${total} connections are fewer than the pools need`);
  const divided = entries.map(([name, { min, share }]) => [name, min + Math.floor((rest * share) / shares)] as const);
  const left = total - divided.reduce((sum, [, connections]) => sum + connections, 0);
  const whole = divided.map(([name, connections], index) => [name, connections + (index < left ? 1 : 0)]);
  return Object.fromEntries(whole) as Record<Name, number>;
}
