// `sluice doctor`: looks for what is wrong with a relay and around it, and says what to do. It is useful also while the relay is
// away.

import type { Command } from "commander";

import { helpNote } from "../output/help-note.ts";
import { type CliContext, note } from "../cli-context.ts";
import { type OutputOptions, printLines, printRows, surfaceOf, withOutputOptions } from "../output/print.ts";
import { type RelayOptions, withRelayOptions } from "../relay/access.ts";
import { refuseReplacing, writeBundle } from "./bundle.ts";
import { examineRelay } from "./examine-relay.ts";
import { findingLines, summarize } from "./finding.ts";

interface DoctorOptions extends RelayOptions, OutputOptions {
  bundle?: string;
  force?: boolean;
}

export function addDoctor(program: Command, context: CliContext): void {
  const command = program
    .command("doctor")
    .description("look for what is wrong: address, TLS, key, stores, clocks, queue, targets, settings, PUBLIC_URL")
    .option("--bundle <file>", "also write everything into a file, for a report of a fault; it holds no secrets")
    .option("--force", "let --bundle replace a file")
    .addHelpText(
      "after",
      helpNote("The exit code is 1 when something is wrong. With a key that has the scope admin it sees most."),
    )
    .action(async (options: DoctorOptions) => {
      const file =
        options.bundle === undefined ? undefined : { path: options.bundle, mayReplace: options.force === true };
      if (file !== undefined) refuseReplacing(file, context);
      const examination = await examineRelay(options, context);
      const { findings } = examination;
      if (options.json === true) printRows(context, options, findings, []);
      else printLines(context, findingLines(findings, surfaceOf(context)));
      if (file !== undefined) writeBundle(file, examination, context);
      if (findings.some(({ verdict }) => verdict === "wrong")) throw new Error(summarize(findings));
      note(context, summarize(findings));
    });
  withOutputOptions(withRelayOptions(command));
}
