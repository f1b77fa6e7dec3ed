// Repeats a round of work. Each round begins some time after the end of the one before.

export interface Loop {
  /** Resolves when the round under way has ended. No other round follows. */
  close: () => Promise<void>;
}

/** @param round MUST NOT reject. It resolves to the milliseconds until the next round. */
export function startLoop(firstInMs: number, round: () => Promise<number>): Loop {
  let closed = false;
  let running: Promise<void> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
  const run = async () => {
    const inMs = await round();
    if (!closed) schedule(inMs);
  };
  const schedule = (inMs: number) => {
    timer = setTimeout(() => {
      running = run();
    }, inMs);
  };
  schedule(firstInMs);
  return {
    close: async () => {
      closed = true;
      clearTimeout(timer);
      await running;
    },
  };
}
