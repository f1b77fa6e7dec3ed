// `sluice restore`.

import type { Command } from "commander";

import { helpNote } from "../output/help-note.ts";
import { type CliContext, loadStores, withStores } from "../cli-context.ts";
import { PASSPHRASE_VARIABLE } from "./passphrase.ts";

export interface RestoreFlags {
  passphraseFile?: string;
  check?: boolean;
  json?: boolean;
}

export function addRestore(program: Command, context: CliContext): void {
  program
    .command("restore")
    .description("restore a backup into an empty database")
    .argument("<file>", "a file that `sluice backup` made; - reads from stdin")
    .option("--passphrase-file <file>", `opens the master key in the backup (or ${PASSPHRASE_VARIABLE})`)
    .option("--check", "only read the backup to its end, and say what it is")
    .option("--json", "print a summary as JSON")
    .addHelpText(
      "after",
      helpNote("No gateway and no worker may use the database. docs/runbooks/restore.md has the commands."),
    )
    .action(async (file: string, flags: RestoreFlags) => {
      const { checkBackup, restore } = await loadStores("restore");
      if (flags.check === true) await checkBackup(file, flags, context);
      else await withStores(context, (env) => restore(file, flags, { ...context, env }));
    });
}
