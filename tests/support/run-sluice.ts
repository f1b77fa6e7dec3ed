// Runs one command line of `sluice` in this process, with the environment of a test and nothing of this process's.

import { PassThrough, type Readable } from "node:stream";
import { buffer, text } from "node:stream/consumers";

import type { CliContext } from "@sluice/cli/cli-context";
import { runCli } from "@sluice/cli/run-cli";

export interface SluiceRun {
  code: number;
  out: Buffer;
  err: string;
}

interface SluiceSurroundings extends Pick<CliContext, "signal" | "findOwnRelay"> {
  env?: NodeJS.ProcessEnv;
  stdin?: Readable;
  /** What stdout is, when it is to be a terminal. */
  terminal?: { columns: number; rows: number };
}

export async function runSluice(
  args: readonly string[],
  { env = {}, stdin = new PassThrough().end(), terminal, ...others }: SluiceSurroundings = {},
): Promise<SluiceRun> {
  const stdout = Object.assign(new PassThrough(), terminal && { isTTY: true, ...terminal });
  const stderr = new PassThrough();
  const written = Promise.all([buffer(stdout), text(stderr)]);
  const code = await runCli(args, { env, directory: "/", stdin, stdout, stderr, ...others });
  stdout.end();
  stderr.end();
  const [out, err] = await written;
  return { code, out, err };
}
