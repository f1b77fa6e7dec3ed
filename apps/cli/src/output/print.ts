// Results on stdout: tables and fields for people, and JSON for machines.

import { type Command, Option } from "commander";

import { type CliContext, jsonText, terminalOf } from "../cli-context.ts";
import { painterFor } from "./style.ts";
import { recordLines, type RecordView } from "./record.ts";
import type { Surface } from "./table.ts";

export interface OutputOptions {
  json?: boolean;
}

const JSON_INDENT = 2;

export function withOutputOptions(command: Command): Command {
  return command.addOption(new Option("--json", "print JSON; a list has one object in each line").helpGroup("Output:"));
}

/** Where stdout shows tables and fields. */
function surfaceOf(context: CliContext): Surface {
  return { width: terminalOf(context.stdout)?.columns, paint: painterFor(context.stdout, context) };
}

/** Prints one object: its fields, or itself as JSON, which has lines on a terminal. */
export function printRecord(context: CliContext, { json }: OutputOptions, record: object, view: RecordView = {}): void {
  if (json === true) {
    const indent = terminalOf(context.stdout) ? JSON_INDENT : undefined;
    context.stdout.write(`${jsonText(record, indent)}\n`);
  } else printLines(context, recordLines(record, surfaceOf(context), view));
}

function printLines({ stdout }: CliContext, lines: readonly string[]): void {
  if (lines.length > 0) stdout.write(`${lines.join("\n")}\n`);
}
