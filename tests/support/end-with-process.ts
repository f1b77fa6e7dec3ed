// Servers that end with the process that started them, however it ends, but for SIGKILL; and its directory with them.

import { existsSync, rmSync } from "node:fs";
import { constants } from "node:os";

/**
 * @param pids what to end, and how: read at the end.
 * @param directory what to remove then, if anything.
 */
export function endWithProcess(
  pids: Iterable<readonly [number, NodeJS.Signals]>,
  directory: () => string | undefined,
): void {
  // Never removed: vitest handles a first signal only, and a second would end the process without `exit`.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => process.exit(128 + constants.signals[signal]));
  }
  process.on("exit", () => {
    for (const [pid, signal] of pids) {
      try {
        process.kill(pid, signal);
      } catch {
        // It is gone already.
      }
    }
    const dir = directory();
    if (dir !== undefined) removeWhileWritten(dir);
  });
}

/** PostgreSQL writes and removes files until it is gone. No event loop any more, so this waits in the thread. */
function removeWhileWritten(dir: string): void {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (let tries = 0; tries < 50 && existsSync(dir); tries++) {
    if (tries > 0) Atomics.wait(pause, 0, 0, 100);
    try {
      rmSync(dir, { recursive: true, force: true });
    } catch {
      // A file came or went meanwhile. Node 24 does not always say so, hence the check above.
    }
  }
}
