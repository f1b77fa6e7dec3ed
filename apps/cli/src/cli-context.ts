// What a command has of the process that runs it. stdout gets data and nothing else, so that it can be piped; everything
// for people goes to stderr.

import type { Readable, Writable } from "node:stream";

import { SluiceError } from "@sluice/shared/runtime/errors";

import type * as stores from "./stores.ts";

export interface CliContext {
  env: NodeJS.ProcessEnv;
  /** Relative paths of arguments begin here. */
  directory: string;
  stdin: Readable;
  stdout: Writable;
  stderr: Writable;
  /** `--color`. Without it, terminals get colours unless NO_COLOR forbids them. */
  color?: ColorChoice;
  /**
   * Ends what runs until it is stopped, such as `--watch`. A command that ends in an orderly way MUST listen for its abort by then,
   * as {@link stopWithProcess} does: without a listener Ctrl-C ends the process at once.
   */
  signal?: AbortSignal;
  /** The relay of this machine, when its key is at hand: the one of this container, or the one of the clone. */
  findOwnRelay?: () => OwnRelay | undefined;
  /** What to say to a person who expects a relay here, when none runs and no other one was named. */
  noOwnRelay?: string;
  /**
   * Brings up the stores that the environment does not name, as in a clone, whose PostgreSQL runs only with `npm start`.
   * When it is not given, the environment has everything.
   */
  reachStores?: () => Promise<ReachedStores>;
}

export type ColorChoice = "auto" | "always" | "never";

export interface OwnRelay {
  api: string;
  /** Where people reach the API, as far as somebody said so: a container has another address than its published port. */
  published?: string | undefined;
  key: string;
  /** Where the key was found, for a person. */
  from: string;
}

export interface ReachedStores {
  env: NodeJS.ProcessEnv;
  close: () => Promise<void>;
}

/** @returns a controller that aborts when the process is told to end, for a command that ends in an orderly way. */
export function stopWithProcess({ signal }: Pick<CliContext, "signal">): AbortController {
  const stop = new AbortController();
  signal?.addEventListener("abort", () => stop.abort(), { once: true });
  if (signal?.aborted === true) stop.abort();
  return stop;
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

/**
 * Loads what works on the stores themselves.
 * @throws SluiceError `invalid_configuration` in the file that a gateway serves, which is without it.
 */
export async function loadStores(command: string): Promise<typeof stores> {
  try {
    return await import("./stores.ts");
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ERR_MODULE_NOT_FOUND")) throw error;
    throw new SluiceError(
      "invalid_configuration",
      `\`sluice ${command}\` works on PostgreSQL and Redis themselves, and this file is only a client of the API. Run it where ` +
        `the relay is: \`docker compose exec gateway sluice ${command} …\`, or \`npm run -s sluice -- ${command} …\` in a clone`,
      { cause: error },
    );
  }
}

/** Whether a stream is a terminal, and how many columns and lines it has. */
export function terminalOf(stream: Readable | Writable): { columns: number; rows: number } | undefined {
  if (!("isTTY" in stream) || stream.isTTY !== true) return undefined;
  const { columns = 80, rows = 24 } = stream as { columns?: number; rows?: number };
  return { columns, rows };
}

/** Tells a person what happens. */
export function note({ stderr }: Pick<CliContext, "stderr">, text: string): void {
  stderr.write(`${text}\n`);
}

/** Prints the result of a command as one line of JSON. */
export function printJson({ stdout }: Pick<CliContext, "stdout">, value: unknown): void {
  stdout.write(`${jsonText(value)}\n`);
}

/** What senders wrote may have characters that a terminal takes for commands, and of which JSON escapes only some. */
export function jsonText(value: unknown, indent?: number): string {
  return JSON.stringify(value, null, indent).replaceAll(
    // oxlint-disable-next-line no-control-regex -- these are what it is about.
    /[\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
