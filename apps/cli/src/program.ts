// The commands of `sluice`. A command is a file with a function that adds it to the program.

import { SLUICE_VERSION } from "@sluice/shared/domain/version";
import { Command, Option } from "commander";

import { addBackup } from "./backup/backup-command.ts";
import { addRestore } from "./backup/restore-command.ts";
import type { CliContext, ColorChoice } from "./cli-context.ts";
import { addCompletion } from "./completion.ts";
import { addConfiguration } from "./configuration.ts";
import { addDoctor } from "./health/doctor-command.ts";
import { addStatus } from "./health/status-command.ts";
import { addListen } from "./listen/listen-command.ts";
import { addMasterKey } from "./master-key.ts";
import { addOpen } from "./open/open-command.ts";
import { addLogin } from "./profile/login.ts";
import { addWhoami } from "./profile/whoami.ts";
import { addRekey } from "./rekey/rekey-command.ts";
import { addAudit, addKeys } from "./resources/access.ts";
import { addAttempts, addDeliveries } from "./resources/deliveries.ts";
import { addEvents } from "./resources/events.ts";
import { addGeminiJobs } from "./resources/jobs.ts";
import { addOperations, addRejections, addSetAside } from "./resources/log.ts";
import { addSources, addUpstream } from "./resources/sources.ts";
import { addStats } from "./resources/stats.ts";
import { addSystem } from "./resources/system.ts";
import { addTargets } from "./resources/targets.ts";
import { addTail } from "./tail/tail-command.ts";
import { addTrigger } from "./trigger/trigger-command.ts";
import { addSign } from "./verify/sign-command.ts";
import { addVerify } from "./verify/verify-command.ts";

const COLOR_CHOICES: ColorChoice[] = ["auto", "always", "never"];

/** @param context is passed to each command. `--color` is set in it. */
export function openProgram(context: CliContext): Command {
  const program = new Command("sluice")
    .description("Operates a Sluice relay.")
    .version(SLUICE_VERSION, "--version", "print the version")
    .addOption(
      new Option("--color <when>", "colours: on a terminal, always or never").choices(COLOR_CHOICES).default("auto"),
    )
    .on("option:color", (choice: ColorChoice) => (context.color = choice))
    .helpOption("-h, --help", "show this help")
    .helpCommand("help [command]", "show the help of a command")
    .showHelpAfterError("Add --help for the options.")
    .configureHelp({ showGlobalOptions: true })
    // Errors are thrown to runCli, which alone decides how the process ends.
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void context.stdout.write(text),
      writeErr: (text) => void context.stderr.write(text),
    });
  program.commandsGroup("The relay:");
  addStatus(program, context);
  addDoctor(program, context);
  addSystem(program, context);
  addOpen(program, context);
  program.commandsGroup("The log:");
  addEvents(program, context);
  addDeliveries(program, context);
  addAttempts(program, context);
  addRejections(program, context);
  addOperations(program, context);
  addStats(program, context);
  addSetAside(program, context);
  program.commandsGroup("Sources and targets:");
  addTargets(program, context);
  addSources(program, context);
  addUpstream(program, context);
  addGeminiJobs(program, context);
  program.commandsGroup("Access:");
  addLogin(program, context);
  addWhoami(program, context);
  addKeys(program, context);
  addAudit(program, context);
  addCompletion(program, context);
  program.commandsGroup("Events:");
  addListen(program, context);
  addTail(program, context);
  addTrigger(program, context);
  program.commandsGroup("Signatures:");
  addVerify(program, context);
  addSign(program, context);
  program.commandsGroup("Settings file:");
  addConfiguration(program, context);
  program.commandsGroup("Stores (in the image and in a clone):");
  addBackup(program, context);
  addRestore(program, context);
  addRekey(program, context);
  addMasterKey(program, context);
  return program;
}
