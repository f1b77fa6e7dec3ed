// Runs one command line from the arguments to the exit code, and is the only place that prints errors.

import { errorText } from "@sluice/shared/runtime/error-text";
import { CommanderError } from "commander";

import { type CliContext, writeStyled } from "./cli-context.ts";
import { EXIT, exitCodeOf } from "./exit-codes.ts";
import { openProgram } from "./program.ts";

/** @returns the exit code. */
export async function runCli(args: readonly string[], context: CliContext): Promise<number> {
  const { stderr } = context;
  try {
    await openProgram(context).parseAsync(args, { from: "user" });
    return EXIT.ok;
  } catch (error) {
    // commander has printed its own errors already.
    if (!(error instanceof CommanderError)) {
      writeStyled(stderr, context, "red", "error:");
      stderr.write(` ${errorText(error)}\n`);
    }
    return exitCodeOf(error);
  }
}
