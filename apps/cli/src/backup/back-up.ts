// The work of `sluice backup`: everything of a relay in one file.

import { randomBytes } from "node:crypto";
import { createWriteStream, existsSync, linkSync, rmSync } from "node:fs";
import { resolve } from "node:path";

import { readRedisServers } from "@sluice/queue/redis-client";
import { SluiceError } from "@sluice/shared/runtime/errors";

import { type CliContext, note, printJson } from "../cli-context.ts";
import type { BackupFlags } from "./backup-command.ts";
import { PASSPHRASE_VARIABLE, readPassphrase } from "./passphrase.ts";
import {
  directUrlOf,
  findKeyAtHand,
  listPlainSettings,
  readStoreSettings,
  type StoreSettings,
} from "./store-settings.ts";
import { type BackupOptions, type BackupSummary, writeBackup } from "./write-backup.ts";

export async function backUp(file: string, flags: BackupFlags, context: CliContext): Promise<void> {
  const settings = readStoreSettings(context.env);
  const options: BackupOptions = {
    databaseUrl: directUrlOf(settings),
    redis: flags.redis ? readRedisServers(settings) : undefined,
    key: findKeyAtHand(settings),
    passphrase: choosePassphrase(flags, settings, context),
    settings: listPlainSettings(context.env),
    onTable: (name) => note(context, `  ${name}`),
  };
  const summary = file === "-" ? await toStdout(options, flags, context) : await toFile(file, options, context);
  if (flags.json === true) printJson(context, summary);
  note(
    context,
    `Backed up ${summary.tables} tables and ${summary.redis_jobs} batches of events from Redis. The master key is ` +
      (summary.has_master_key
        ? "in the backup, sealed with your passphrase: keep the passphrase elsewhere."
        : "not in the backup: keep it too, or the secrets in the backup are lost."),
  );
}

/** Somebody who makes backups without the key must want that, because they find out when it is too late. */
function choosePassphrase(flags: BackupFlags, settings: StoreSettings, context: CliContext): string | undefined {
  if (!flags.masterKey) return undefined;
  const passphrase = readPassphrase(context, flags.passphraseFile);
  if (passphrase === undefined) {
    throw new SluiceError(
      "invalid_configuration",
      `Choose what to do with the master key: seal it with --passphrase-file or ${PASSPHRASE_VARIABLE}, or leave it ` +
        "out with --no-master-key and keep it elsewhere",
    );
  }
  if (findKeyAtHand(settings) !== undefined) return passphrase;
  throw new SluiceError(
    "invalid_configuration",
    "There is no master key here to put into the backup: set MASTER_KEY or DATA_DIR as the gateway has it, or pass " +
      "--no-master-key",
  );
}

async function toStdout(options: BackupOptions, flags: BackupFlags, { stdout }: CliContext): Promise<BackupSummary> {
  if (flags.json === true) {
    throw new SluiceError("invalid_configuration", "--json needs a file, because stdout gets the backup");
  }
  if ("isTTY" in stdout && stdout.isTTY === true) {
    throw new SluiceError("invalid_configuration", "A backup is binary data: name a file, or send stdout to one");
  }
  return writeBackup(stdout, { end: false }, options);
}

/** The file is complete as soon as it exists. */
async function toFile(file: string, options: BackupOptions, { directory }: CliContext): Promise<BackupSummary> {
  const path = resolve(directory, file);
  if (existsSync(path)) throw new SluiceError("name_taken", `${path} exists already; choose another name`);
  const draft = `${path}.${randomBytes(4).toString("hex")}.partial`;
  try {
    // Only for its owner: the bodies of events are not encrypted.
    const destination = createWriteStream(draft, { flags: "wx", mode: 0o600, flush: true });
    const summary = await writeBackup(destination, { end: true }, options);
    linkSync(draft, path);
    return summary;
  } finally {
    rmSync(draft, { force: true });
  }
}
