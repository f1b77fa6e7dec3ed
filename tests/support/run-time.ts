// How long something takes of the time in which this process ran: a machine that is busy with others, or that stands
// still for a while, does not read as a relay that is slow.

const TICK_MS = 50;

export interface RunTime<T> {
  value: T;
  ranMs: number;
  /** How much longer it took by the clock, because no turn of the event loop came. */
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
