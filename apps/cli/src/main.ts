// `sluice` as a process: the only file of this app that reads the environment.

import { endWithReader } from "./closed-pipe.ts";
import { EXIT } from "./exit-codes.ts";
import { findOwnRelay } from "./relay/own-relay.ts";
import { runCli } from "./run-cli.ts";

endWithReader(process.stdout);

const interrupted = new AbortController();
/** The time that a command has to end in an orderly way. */
const END_LIMIT_MS = 8_000;
const end = () => process.exit(EXIT.interrupted);
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    if (interrupted.signal.aborted) end();
    interrupted.abort();
    setTimeout(end, END_LIMIT_MS).unref();
  });
}

process.exitCode = await runCli(process.argv.slice(2), {
  env: process.env,
  directory: process.cwd(),
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  signal: interrupted.signal,
  findOwnRelay: () => findOwnRelay(process.env),
});
