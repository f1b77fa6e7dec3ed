// Runs one command line of `sluice` in this process, with the environment of a test and nothing of this process's.

import { PassThrough, type Readable } from "node:stream";
import { buffer, text } from "node:stream/consumers";

import { runCli } from "@sluice/cli/run-cli";

export interface SluiceRun {
  code: number;
  out: Buffer;
  err: string;
}

export async function runSluice(
  args: readonly string[],
  { env = {}, stdin = new PassThrough().end() }: { env?: NodeJS.ProcessEnv; stdin?: Readable } = {},
): Promise<SluiceRun> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const written = Promise.all([buffer(stdout), text(stderr)]);
  const code = await runCli(args, { env, directory: "/", stdin, stdout, stderr });
  stdout.end();
  stderr.end();
  const [out, err] = await written;
  return { code, out, err };
}
