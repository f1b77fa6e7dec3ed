// `sluice` as a process: the only file of this app that reads the environment.

import { findOwnRelay } from "./relay/own-relay.ts";
import { runCli } from "./run-cli.ts";

// A reader that has enough, such as `head`, closes the pipe. What it has is right, so that is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));

process.exitCode = await runCli(process.argv.slice(2), {
  env: process.env,
  directory: process.cwd(),
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  findOwnRelay: () => findOwnRelay(process.env),
});
