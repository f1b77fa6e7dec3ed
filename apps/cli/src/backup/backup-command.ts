// `sluice backup`.

import type { Command } from "commander";

import { helpNote } from "../output/help-note.ts";
import { type CliContext, loadStores, withStores } from "../cli-context.ts";
import { PASSPHRASE_VARIABLE } from "./passphrase.ts";

export interface BackupFlags {
  passphraseFile?: string;
  masterKey: boolean;
  redis: boolean;
  json?: boolean;
}

export function addBackup(program: Command, context: CliContext): void {
  program
    .command("backup")
    .description("write everything of a relay to a file: settings, keys, log, pending deliveries and queued events")
    .argument("<file>", "the file to make; - writes to stdout")
    .option("--passphrase-file <file>", `put the master key in, sealed with a passphrase (or ${PASSPHRASE_VARIABLE})`)
    .option("--no-master-key", "leave the master key out")
    .option("--no-redis", "leave out the events that are only in Redis")
    .option("--json", "print a summary as JSON")
    .addHelpText(
      "after",
      helpNote("The relay may run meanwhile. docs/runbooks/backup.md has the commands for each way of running it."),
    )
    .action(async (file: string, flags: BackupFlags) => {
      const { backUp } = await loadStores("backup");
      await withStores(context, (env) => backUp(file, flags, { ...context, env }));
    });
}
