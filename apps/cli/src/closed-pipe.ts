// A reader that has enough, such as `head`, closes the pipe. What it has is right, so that is no error.

import type { Writable } from "node:stream";

/** Ends the process when nobody reads its stdout any more. */
export function endWithReader(stdout: Writable): void {
  stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));
}
