// Results on stdout: tables and fields for people, and JSON for machines.

import { type Command, Option } from "commander";

import { type CliContext, jsonText, terminalOf } from "../cli-context.ts";
import { painterFor } from "./style.ts";
import { recordLines, type RecordView } from "./record.ts";
import { type Column, type Surface, tableLines } from "./table.ts";

export interface OutputOptions {
  json?: boolean;
}

const JSON_INDENT = 2;

export function withOutputOptions(command: Command): Command {
  return command.addOption(new Option("--json", "print JSON; a list has one object in each line").helpGroup("Output:"));
}

/** Where stdout shows tables and fields. */
export function surfaceOf(context: CliContext): Surface {
  return { width: terminalOf(context.stdout)?.columns, paint: painterFor(context.stdout, context) };
}

/** Prints one object: its fields, or itself as JSON, which has lines on a terminal. */
export function printRecord(context: CliContext, { json }: OutputOptions, record: object, view: RecordView = {}): void {
  if (json === true) {
    const indent = terminalOf(context.stdout) ? JSON_INDENT : undefined;
    context.stdout.write(`${jsonText(record, indent)}\n`);
  } else printLines(context, recordLines(record, surfaceOf(context), view));
}

/** Prints a list: a table, or a line of JSON for each row. @param withTitles is false for what continues a table. */
export function printRows<Row extends object>(
  context: CliContext,
  { json }: OutputOptions,
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  withTitles = true,
): void {
  if (json === true)
    printLines(
      context,
      rows.map((row) => jsonText(row)),
    );
  else if (rows.length > 0)
    printLines(context, tableLines(rows, columns, surfaceOf(context)).slice(withTitles ? 0 : 1));
}

export function printLines({ stdout }: CliContext, lines: readonly string[]): void {
  if (lines.length > 0) stdout.write(`${lines.join("\n")}\n`);
}
