// How `npm start` is told to stop: Ctrl-C, SIGTERM, a closed terminal or the end of the launcher asks it
// to finish; a second signal to hurry.

export interface StopSignals {
  /** Aborted by the first signal. */
  signal: AbortSignal;
  /** Fulfils with the first signal. */
  requested: Promise<void>;
}

/** One Ctrl-C comes up to three times: from the terminal, and passed on by npm and by the launcher. */
const SAME_SIGNAL_MS = 500;

/** @param hurry on the second signal: kill what is slow to finish. */
export function listenForStop(hurry: () => void): StopSignals {
  const controller = new AbortController();
  const requested = new Promise<void>((resolve) => {
    controller.signal.addEventListener("abort", () => resolve(), { once: true });
  });
  let firstMs = 0;
  let hurries = 0;
  const receive = () => {
    if (!controller.signal.aborted) {
      firstMs = performance.now();
      console.log("\nStopping: the worker finishes what it has in hand. Ctrl-C again to hurry.");
      controller.abort();
    } else if (performance.now() - firstMs > SAME_SIGNAL_MS) {
      hurries++;
      firstMs = performance.now();
      if (hurries === 1) hurry();
      // Still here after that: PostgreSQL is left behind, and ended by the next start.
      else process.exit(130);
    }
  };
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, receive);
  if (process.connected) process.once("disconnect", receive);
  // A terminal that was closed fails every write; stopping must go on without it.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);
  return { signal: controller.signal, requested };
}
