// Runs one command line as a process: its streams, its signals and its exit code. The bundle and the script of a clone share it, so
// that both end in the same way.

import { getEventListeners } from "node:events";

import type { CliContext } from "./cli-context.ts";
import { endWithReader } from "./closed-pipe.ts";
import { EXIT } from "./exit-codes.ts";
import { runCli } from "./run-cli.ts";

/** The time that a command has to end in an orderly way. */
const END_LIMIT_MS = 8_000;
/** One Ctrl-C can arrive several times: from the terminal, and from `npm run`, which passes it on. */
const SAME_SIGNAL_MS = 500;

/** Sets the exit code of this process. @param surroundings what the caller knows of where it runs. */
export async function runProcess(surroundings: Omit<CliContext, "stdin" | "stdout" | "stderr" | "signal">) {
  const { stdin, stdout, stderr } = process;
  endWithReader(stdout);
  const signal = listenForInterruption();
  process.exitCode = await runCli(process.argv.slice(2), { ...surroundings, stdin, stdout, stderr, signal });
  // An answer that nobody waits for any more would keep the process.
  if (signal.aborted) process.exit();
}

const end = () => process.exit(EXIT.interrupted);

function listenForInterruption(): AbortSignal {
  const interrupted = new AbortController();
  let firstMs = 0;
  const receive = () => {
    if (!interrupted.signal.aborted) {
      firstMs = performance.now();
      // Whatever does not end in an orderly way ends now: somebody wants the prompt back.
      if (getEventListeners(interrupted.signal, "abort").length === 0) end();
      interrupted.abort();
      setTimeout(end, END_LIMIT_MS).unref();
    } else if (performance.now() - firstMs > SAME_SIGNAL_MS) end();
  };
  for (const name of ["SIGINT", "SIGTERM"] as const) process.on(name, receive);
  return interrupted.signal;
}
