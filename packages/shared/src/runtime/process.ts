// How an app runs as a process: its signals, its exit code, and the end of the process that started it.

import { flushCompileCache } from "node:module";

import { SluiceError } from "./errors.ts";
import type { Logger } from "./log.ts";

export interface Running {
  stop: () => Promise<void>;
  /** What of the start goes on behind. Rejects when the app must not go on. */
  started?: Promise<void>;
}

/**
 * Starts an app and stops it on SIGTERM, SIGINT, or when the launcher that it has a channel to is gone.
 * Ends with 0 after a clean stop, with 1 when it could not start or stop.
 */
export async function runApp(start: () => Promise<Running>, log: Logger): Promise<void> {
  let running: Running | undefined;
  let isStopping = false;
  const stop = (reason: string) => {
    if (isStopping) return;
    isStopping = true;
    log.info({ reason }, "stopping");
    // Before it runs there is nothing to finish.
    (running?.stop() ?? Promise.resolve()).then(
      () => {
        log.info("stopped");
        process.exit(0);
      },
      (error: unknown) => {
        log.fatal({ err: error }, "could not stop cleanly");
        process.exit(1);
      },
    );
  };
  process.on("SIGTERM", () => stop("SIGTERM"));
  process.on("SIGINT", () => stop("SIGINT"));
  // Before the start: a launcher that dies meanwhile must not leave an app behind.
  process.on("disconnect", () => stop("launcher gone"));
  try {
    running = await start();
    // For the next start, and not at an orderly end, which may never come. A start that finds all of it does without
    // Node's compiler of TypeScript, and 10 MiB.
    flushCompileCache();
    await running.started;
  } catch (error) {
    if (isStopping) return;
    // A fault in the configuration is the operator's to read, not a stack trace.
    if (error instanceof SluiceError && error.code !== "internal") log.fatal({ code: error.code }, error.message);
    else log.fatal({ err: error }, "could not start");
    process.exit(1);
  }
}
