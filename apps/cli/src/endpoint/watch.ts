// `--watch`: shows a list or a resource again and again. A terminal is cleared before, so that what is there stays in its place.

import { setTimeout as delay } from "node:timers/promises";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";

import { SluiceError } from "@sluice/shared/runtime/errors";
import { type Command, InvalidArgumentError, Option } from "commander";

import { type CliContext, note, stopWithProcess, terminalOf } from "../cli-context.ts";

export interface WatchOptions {
  watch?: boolean;
  every: number;
}

/** Home, and clear from there: the screen does not flicker, and keeps what was above. */
const CLEAR = "\u001b[H\u001b[J";

export function withWatchOptions(command: Command): Command {
  return command
    .addOption(new Option("--watch", "show it again and again, until it is stopped").helpGroup("Output:"))
    .addOption(
      new Option("--every <seconds>", "the pause of --watch").default(2).argParser(readSeconds).helpGroup("Output:"),
    );
}

/** Shows once, or with `--watch` until the signal of the context aborts. */
export async function showOnceOrMore(
  context: CliContext,
  { watch, every }: WatchOptions,
  show: (context: CliContext) => Promise<void>,
): Promise<void> {
  if (watch !== true) return show(context);
  const { signal } = stopWithProcess(context);
  const stopped = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
  while (!signal.aborted) {
    // Whoever stops it does not wait for a relay that hangs.
    await Promise.race([showRound(context, show), stopped]);
    await delay(every * 1000, undefined, { signal }).catch(() => undefined);
  }
}

async function showRound(context: CliContext, show: (context: CliContext) => Promise<void>): Promise<void> {
  const { stdout } = context;
  // Each time anew: a person may change its size.
  const terminal = terminalOf(stdout);
  try {
    if (terminal === undefined) return await show(context);
    // Shown at once when all of it is there.
    const screen = Object.assign(new PassThrough(), { isTTY: true, ...terminal });
    const shown = text(screen);
    await show({ ...context, stdout: screen }).finally(() => screen.end());
    stdout.write(CLEAR + (await shown));
  } catch (error) {
    // A relay that restarts is why somebody watches.
    if (!(error instanceof SluiceError && error.code === "unavailable")) throw error;
    note(context, error.message);
  }
}

function readSeconds(given: string): number {
  const seconds = Number(given);
  if (seconds >= 0.1) return seconds;
  throw new InvalidArgumentError("It must be at least 0.1.");
}
