// Asks before a change that cannot be taken back. Where nobody can be asked, `--yes` must be there.

import { createInterface } from "node:readline/promises";

import { SluiceError } from "@sluice/shared/runtime/errors";
import { type Command, Option } from "commander";

import { type CliContext, note, terminalOf } from "../cli-context.ts";

export interface ConfirmOptions {
  yes?: boolean;
}

export function withConfirmOption(command: Command): Command {
  return command.addOption(new Option("--yes", "do not ask"));
}

/**
 * @returns whether to do it.
 * @throws SluiceError `invalid_configuration` where nobody can be asked.
 */
export async function confirm(question: string, { yes }: ConfirmOptions, context: CliContext): Promise<boolean> {
  if (yes === true) return true;
  if (!terminalOf(context.stdin)) {
    throw new SluiceError("invalid_configuration", `${question} Nobody can be asked here: pass --yes to do it`);
  }
  const lines = createInterface({ input: context.stdin, output: context.stderr });
  const stopped = new AbortController();
  lines.on("SIGINT", () => stopped.abort());
  try {
    if (/^y(?:es)?$/i.test((await lines.question(`${question} [y/N] `, { signal: stopped.signal })).trim()))
      return true;
    note(context, "Nothing was changed.");
    return false;
  } finally {
    lines.close();
  }
}
