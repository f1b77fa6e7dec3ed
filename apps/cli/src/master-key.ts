// `sluice master-key`: what concerns the key alone, and needs no relay.

import { randomBytes } from "node:crypto";

import { SluiceError } from "@sluice/shared/runtime/errors";
import type { Command } from "commander";

import { PASSPHRASE_VARIABLE, readPassphrase } from "./backup/passphrase.ts";
import { checkArchive } from "./backup/read-backup.ts";
import { openBackup } from "./backup/restore-command.ts";
import { unsealKey } from "./backup/sealed-key.ts";
import type { CliContext } from "./cli-context.ts";

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
      const passphrase = readPassphrase(context, flags.passphraseFile);
      if (passphrase === undefined) {
        throw new SluiceError("invalid_configuration", `Set --passphrase-file or ${PASSPHRASE_VARIABLE}`);
      }
      const { master_key: sealed, relay_id: relayId } = await checkArchive(openBackup(file, context));
      if (sealed === null) throw new SluiceError("not_found", "The backup was made without its master key");
      stdout.write(`${await unsealKey(sealed, passphrase, relayId)}\n`);
    });
}
