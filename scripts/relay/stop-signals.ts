// Ctrl-C, SIGTERM, a closed terminal or the end of scripts/launch.mjs tells `npm start` to stop. A second signal tells it
// to hurry.

export interface StopSignals {
  /** Is aborted by the first signal. */
  signal: AbortSignal;
  /** Resolves with the first signal. */
  requested: Promise<void>;
}

/** One Ctrl-C arrives up to three times: from the terminal, from npm and from scripts/launch.mjs. */
const SAME_SIGNAL_MS = 500;

/** @param hurry is called on the second signal, and kills the processes that still run. */
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
      console.log("\nStopping. The worker finishes its deliveries in progress. Press Ctrl-C again to hurry.");
      controller.abort();
    } else if (performance.now() - firstMs > SAME_SIGNAL_MS) {
      hurries++;
      firstMs = performance.now();
      if (hurries === 1) hurry();
      // The third signal ends this process. PostgreSQL keeps running, and the next start ends it.
      else process.exit(130);
    }
  };
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, receive);
  if (process.connected) process.once("disconnect", receive);
  // After its terminal was closed, every write fails. The stop must go on.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);
  return { signal: controller.signal, requested };
}
