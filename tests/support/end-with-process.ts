// Ends servers, and removes their directory, when the process that started them ends. SIGKILL is the one end of a
// process that this file cannot see.

import { existsSync, rmSync } from "node:fs";
import { constants } from "node:os";

/**
 * @param pids the processes to end, each with the signal; read when this process ends.
 * @param directory returns the directory to remove, or undefined; called when this process ends.
 */
export function endWithProcess(
  pids: Iterable<readonly [number, NodeJS.Signals]>,
  directory: () => string | undefined,
): void {
  // These handlers are never removed: vitest handles the first signal only, and a second one would end the process
  // without the event `exit`.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => process.exit(128 + constants.signals[signal]));
  }
  process.on("exit", () => {
    for (const [pid, signal] of pids) {
      try {
        process.kill(pid, signal);
      } catch {
        // The process has ended already.
      }
    }
    const dir = directory();
    if (dir !== undefined) removeWhileWritten(dir);
  });
}

/**
 * Removes a directory in which PostgreSQL still writes and removes files while it ends. The event loop runs no more in
 * the event `exit`, so this blocks the thread between the tries.
 */
function removeWhileWritten(dir: string): void {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (let tries = 0; tries < 50 && existsSync(dir); tries++) {
    if (tries > 0) Atomics.wait(pause, 0, 0, 100);
    try {
      rmSync(dir, { recursive: true, force: true });
    } catch {
      // A file was added or removed meanwhile. Node 24 does not always throw then, so `existsSync` checks too.
    }
  }
}
