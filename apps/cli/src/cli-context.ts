// What a command has of the process that runs it. stdout gets data and nothing else, so that it can be piped; everything
// for people goes to stderr.

import type { Readable, Writable } from "node:stream";
import { stripVTControlCharacters, styleText } from "node:util";

export interface CliContext {
  env: NodeJS.ProcessEnv;
  /** Relative paths of arguments begin here. */
  directory: string;
  stdin: Readable;
  stdout: Writable;
  stderr: Writable;
  /**
   * Brings up the stores that the environment does not name, as in a clone, whose PostgreSQL runs only with `npm start`.
   * When it is not given, the environment has everything.
   */
  reachStores?: () => Promise<ReachedStores>;
}

export interface ReachedStores {
  env: NodeJS.ProcessEnv;
  close: () => Promise<void>;
}

/** Runs work with the settings of the stores. */
export async function withStores<T>(
  { env, reachStores }: CliContext,
  work: (env: NodeJS.ProcessEnv) => Promise<T>,
): Promise<T> {
  const reached = (await reachStores?.()) ?? { env, close: async () => undefined };
  try {
    return await work(reached.env);
  } finally {
    await reached.close();
  }
}

type Style = Parameters<typeof styleText>[0];

/** Writes text to a stream, in colour where the stream is a terminal and NO_COLOR does not forbid it. */
export function writeStyled(stream: Writable, { env }: Pick<CliContext, "env">, style: Style, text: string): void {
  const isColoured = "isTTY" in stream && stream.isTTY === true && (env["NO_COLOR"] ?? "") === "";
  // The decision is made here, because the environment of a context need not be that of the process.
  const styled = styleText(style, text, { validateStream: false });
  stream.write(isColoured ? styled : stripVTControlCharacters(styled));
}

/** Tells a person what happens. */
export function note({ stderr }: Pick<CliContext, "stderr">, text: string): void {
  stderr.write(`${text}\n`);
}

/** Prints the result of a command as one line of JSON. */
export function printJson({ stdout }: Pick<CliContext, "stdout">, value: unknown): void {
  stdout.write(`${JSON.stringify(value)}\n`);
}
