// Runs one command line from the arguments to the exit code, and is the only place that prints errors.

import { ApiError, NoAnswerError } from "@sluice/client/api-error";
import { errorText } from "@sluice/shared/runtime/error-text";
import { SluiceError } from "@sluice/shared/runtime/errors";
import { CommanderError } from "commander";

import { type CliContext, note } from "./cli-context.ts";
import { EXIT, exitCodeOf, isInterruption } from "./exit-codes.ts";
import { writeStyled } from "./output/style.ts";
import { visibleText } from "./output/text.ts";
import { openProgram } from "./program.ts";

/** @returns the exit code. */
export async function runCli(args: readonly string[], context: CliContext): Promise<number> {
  // `--color` is set on the copy of this run.
  const own = { ...context };
  try {
    await openProgram(own).parseAsync(args, { from: "user" });
    return EXIT.ok;
  } catch (error) {
    // commander has printed its own errors already.
    if (!(error instanceof CommanderError || isInterruption(error))) printError(error, own);
    return exitCodeOf(error);
  }
}

function printError(error: unknown, context: CliContext): void {
  writeStyled(context.stderr, context, "red", "error:");
  note(context, ` ${errorText(error)}`);
  if (!(error instanceof SluiceError)) return;
  // The message of an error that was made here has its faults already; that of the API has them apart.
  const { cause } = error;
  if (cause instanceof ApiError) {
    for (const { pointer, detail } of error.faults) note(context, `  ${optionOf(pointer)} ${inOptions(detail)}`);
  }
  const hint = hintFor(error);
  if (hint !== undefined) note(context, hint);
  if (cause instanceof ApiError && cause.requestId !== undefined) note(context, `request_id: ${cause.requestId}`);
}

/**
 * The option that gave a field of the body (`/retry/base_seconds`) or a parameter of the query (`?source`). What stands at a place in
 * a list (`/scopes/0`) was given by the option of the list.
 */
function optionOf(pointer: string): string {
  if (pointer === "") return "The command";
  if (pointer.startsWith("/"))
    return `--${pointer
      .slice(1)
      .replace(/\/\d+$/, "")
      .replaceAll(/[/_]/g, "-")}`;
  if (pointer.startsWith("?")) return `--${pointer.slice(1).replaceAll("_", "-")}`;
  return visibleText(pointer);
}

/** The API speaks of JSON. */
const inOptions = (detail: string) => visibleText(detail).replaceAll('"all": true', "--all");

/** What to do, where the API does not say so because it does not know the command line. */
function hintFor({ code, cause }: SluiceError): string | undefined {
  if (code === "unauthenticated")
    return "Check the key: `sluice whoami` says where it is from. `sluice login` stores another, and SLUICE_API_KEY goes before that.";
  if (code === "forbidden") return "Use a key that has the scope: `sluice whoami` says which scopes yours has.";
  if (code === "managed_by_file")
    return "Change the file, or pass --force: it changes this until the file is applied again.";
  if (cause instanceof NoAnswerError) return "Is the relay running, and is the address right? --api gives another.";
  return undefined;
}
