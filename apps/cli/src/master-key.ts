// `sluice master-key`: what concerns the key alone, and needs no relay.

import { randomBytes } from "node:crypto";

import type { Command } from "commander";

import { PASSPHRASE_VARIABLE } from "./backup/passphrase.ts";
import { type CliContext, loadStores } from "./cli-context.ts";

export function addMasterKey(program: Command, context: CliContext): void {
  const { stdout } = context;
  const group = program.command("master-key").description("make a master key, or take it out of a backup");
  group
    .command("new")
    .description("print a new master key, for MASTER_KEY or for `sluice rekey`")
    .action(() => void stdout.write(`${randomBytes(32).toString("base64")}\n`));
  group
    .command("unseal")
    .description("print the master key that is sealed in a backup")
    .argument("<file>", "a file that `sluice backup` made; - reads from stdin")
    .option("--passphrase-file <file>", `the passphrase (or ${PASSPHRASE_VARIABLE})`)
    .action(async (file: string, flags: { passphraseFile?: string }) => {
      const { unsealBackup } = await loadStores("master-key unseal");
      stdout.write(`${await unsealBackup(file, flags, context)}\n`);
    });
}
