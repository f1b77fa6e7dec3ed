// `sluice master-key`: what concerns the key alone, and needs no relay.

import { randomBytes } from "node:crypto";

import type { Command } from "commander";

import type { CliContext } from "./cli-context.ts";

export function addMasterKey(program: Command, { stdout }: CliContext): void {
  const group = program.command("master-key").description("make a master key");
  group
    .command("new")
    .description("print a new master key, for MASTER_KEY or for `sluice rekey`")
    .action(() => void stdout.write(`${randomBytes(32).toString("base64")}\n`));
}
