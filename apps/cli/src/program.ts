// The commands of `sluice`. A command is a file with a function that adds it to the program.

import { SLUICE_VERSION } from "@sluice/shared/domain/version";
import { Command } from "commander";

import { addBackup } from "./backup/backup-command.ts";
import { addRestore } from "./backup/restore-command.ts";
import type { CliContext } from "./cli-context.ts";
import { addConfiguration } from "./configuration.ts";
import { addMasterKey } from "./master-key.ts";
import { addRekey } from "./rekey/rekey-command.ts";

/** @param context is passed to each command. */
export function openProgram(context: CliContext): Command {
  const program = new Command("sluice")
    .description("Operates a Sluice relay.")
    .version(SLUICE_VERSION, "--version", "print the version")
    .helpOption("-h, --help", "show this help")
    .helpCommand("help [command]", "show the help of a command")
    .showHelpAfterError("Add --help for the options.")
    // Errors are thrown to runCli, which alone decides how the process ends.
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void context.stdout.write(text),
      writeErr: (text) => void context.stderr.write(text),
    });
  addBackup(program, context);
  addRestore(program, context);
  addRekey(program, context);
  addMasterKey(program, context);
  addConfiguration(program, context);
  return program;
}
