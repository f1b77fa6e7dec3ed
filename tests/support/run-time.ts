// Measures how long something takes, without the time in which this process did not run. A busy machine, or one that
// stands still for a while, then does not look like a slow relay.

const TICK_MS = 50;

export interface RunTime<T> {
  value: T;
  /** The time by the clock, less `heldUpMs`. */
  ranMs: number;
  /** The time in which the event loop did not run. */
  heldUpMs: number;
}

export async function timeRun<T>(work: () => Promise<T>): Promise<RunTime<T>> {
  const startedAt = performance.now();
  let lastAt = startedAt;
  let heldUpMs = 0;
  const tick = () => {
    const now = performance.now();
    heldUpMs += Math.max(0, now - lastAt - TICK_MS);
    lastAt = now;
  };
  const timer = setInterval(tick, TICK_MS);
  try {
    const value = await work();
    tick();
    return { value, ranMs: lastAt - startedAt - heldUpMs, heldUpMs };
  } finally {
    clearInterval(timer);
  }
}
