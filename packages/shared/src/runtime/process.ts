// Runs an app as a process: reacts to signals and to the end of the process that started it, and sets the exit code.

import { flushCompileCache } from "node:module";

import { SluiceError } from "./errors.ts";
import type { Logger } from "./log.ts";

export interface Running {
  stop: () => Promise<void>;
  /** The part of the start that still runs in the background. Rejects when the app must not go on. */
  started?: Promise<void>;
  /** Reads again what can change while the app runs. Called on SIGHUP. MUST NOT reject. */
  reload?: () => Promise<void>;
}

/**
 * Starts an app. Stops it on SIGTERM, on SIGINT, and when the channel to its launcher closes. The process ends with 0
 * after a clean stop, and with 1 when the app could not start or stop.
 */
export async function runApp(start: () => Promise<Running>, log: Logger): Promise<void> {
  let running: Running | undefined;
  let isStopping = false;
  const stop = (reason: string) => {
    if (isStopping) return;
    isStopping = true;
    log.info({ reason }, "stopping");
    // An app that does not run yet has nothing to finish.
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
  // The listener is set before the start, because a launcher that dies during the start must not leave an app behind.
  process.on("disconnect", () => stop("launcher gone"));
  try {
    running = await start();
    const { reload } = running;
    // Without a listener, SIGHUP ends the process, as it does by default.
    if (reload !== undefined) process.on("SIGHUP", () => void reload());
    // The cache of compiled code is for the next start. It is written now, because an orderly end may never come. A
    // start with a complete cache does not load Node's compiler of TypeScript, which saves 10 MiB.
    flushCompileCache();
    await running.started;
  } catch (error) {
    if (isStopping) return;
    // The operator needs to read the message of a known error, such as a fault in the configuration, and no stack
    // trace.
    if (error instanceof SluiceError && error.code !== "internal") log.fatal({ code: error.code }, error.message);
    else log.fatal({ err: error }, "could not start");
    process.exit(1);
  }
}
