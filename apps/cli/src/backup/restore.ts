// The work of `sluice restore`: a relay from a backup, in an empty database.

import { createReadStream } from "node:fs";
import { resolve } from "node:path";
import type { Readable } from "node:stream";

import { SluiceError } from "@sluice/shared/runtime/errors";
import { readMasterKey } from "@sluice/shared/settings/master-key";
import { requireEmpty } from "@sluice/store/backup/restored-database";
import { hasMadeCheck } from "@sluice/store/connection/configuration-row";
import { migrate } from "@sluice/store/connection/migrate";
import { migrateWithRoles } from "@sluice/store/connection/roles";

import { type CliContext, note, printJson } from "../cli-context.ts";
import { makeKeyFile } from "../rekey/new-key.ts";
import type { ArchiveHeader } from "./archive-format.ts";
import { PASSPHRASE_VARIABLE, readPassphrase } from "./passphrase.ts";
import { checkArchive, readBackup } from "./read-backup.ts";
import type { RestoreFlags } from "./restore-command.ts";
import { unsealKey } from "./sealed-key.ts";
import {
  directUrlOf,
  findKeyAtHand,
  keyFileOf,
  listPlainSettings,
  readStoreSettings,
  type StoreSettings,
} from "./store-settings.ts";

/** Where files are and where processes listen: each machine has its own. */
const OF_MACHINE = /_DIR$|_FILE$|HOST$|PORT$|^LOG_LEVEL$/;

/** Opens a backup anew with each call. Only a file can be read twice. */
function openBackup(file: string, { stdin, directory }: CliContext): Readable {
  return file === "-" ? stdin : createReadStream(resolve(directory, file));
}

export async function checkBackup(file: string, { json }: RestoreFlags, context: CliContext): Promise<void> {
  const header = await checkArchive(openBackup(file, context));
  if (json === true) {
    const { version, made_at, relay_id, master_key } = header;
    printJson(context, { version, made_at, relay_id, has_master_key: master_key !== null });
  }
  note(context, `The backup is whole: ${describeBackup(header)}.`);
}

const describeBackup = ({ relay_id: relay, version, made_at: time, master_key: key }: ArchiveHeader): string =>
  `relay ${relay}, made by version ${version} at ${time}, ${key === null ? "without" : "with"} the master key`;

export async function restore(file: string, flags: RestoreFlags, context: CliContext): Promise<void> {
  const settings = readStoreSettings(context.env);
  const passphrase = readPassphrase(context, flags.passphraseFile);
  const databaseUrl = directUrlOf(settings);
  // What comes by a pipe can be read only once. Its checksum is at its end, before the commit.
  if (file !== "-") await checkArchive(openBackup(file, context));
  // The superuser, because a new server has no other role yet.
  await requireEmpty(settings.DATABASE_ADMIN_URL?.reveal() ?? databaseUrl);
  let keyText: string | undefined;
  const summary = await readBackup(openBackup(file, context), {
    databaseUrl,
    begin: async (header) => {
      note(context, `Restoring ${describeBackup(header)}.`);
      keyText = await matchKeys(header, passphrase, settings, context);
      const state = await migrateDatabase(settings, header.schema, context);
      if (state === "newer") throw newerSchema(header);
    },
    beforeCommit: () => {
      if (keyText === undefined) return;
      makeKeyFile(keyFileOf(settings), `${keyText}\n`);
      note(context, `The master key is in ${keyFileOf(settings)} now.`);
    },
    onTable: (name) => note(context, `  ${name}`),
  });
  await migrateDatabase(settings, undefined, context);
  if (flags.json === true) printJson(context, summary);
  note(
    context,
    `Restored ${summary.tables} tables and ${summary.intake_jobs} batches of queued events. Start the gateway and the worker.`,
  );
}

const newerSchema = ({ version }: ArchiveHeader) =>
  new SluiceError(
    "database_not_empty",
    `The database is not new: it has a newer schema than the backup, which version ${version} made. No relay has used it, ` +
      "but it was migrated. Nothing was restored. Drop this database, make an empty one, do not migrate it, and restore " +
      "again: the restore makes the schema; docs/runbooks/restore.md has the commands",
  );

async function migrateDatabase(
  settings: StoreSettings,
  upTo: number | undefined,
  context: CliContext,
): Promise<"migrated" | "newer"> {
  const { DATABASE_ADMIN_URL: admin, DATABASE_APP_URL: app } = settings;
  const owner = directUrlOf(settings);
  const options = { upTo, onWarning: (message: string) => note(context, message) };
  if (admin === undefined || app === undefined) return migrate(owner, options);
  return migrateWithRoles({ admin: admin.reveal(), owner, app: app.reveal() }, options);
}

/**
 * Makes sure that the master key that is here belongs to the backup.
 * @returns the key of the backup, when there is none here.
 */
async function matchKeys(
  header: ArchiveHeader,
  passphrase: string | undefined,
  settings: StoreSettings,
  context: CliContext,
): Promise<string | undefined> {
  noteSettings(header, context);
  const atHand = findKeyAtHand(settings);
  const sealed = header.master_key;
  if (passphrase !== undefined && sealed === null) {
    throw new SluiceError("invalid_configuration", "There is a passphrase, but the backup has no master key");
  }
  const text =
    passphrase === undefined || sealed === null ? undefined : await unsealKey(sealed, passphrase, header.relay_id);
  const check = header.master_key_check === null ? undefined : Buffer.from(header.master_key_check, "base64");
  const unsealed = text === undefined ? undefined : readMasterKey(text);
  if (check !== undefined) {
    if (text !== undefined && (unsealed === undefined || !hasMadeCheck(unsealed, check))) {
      throw new SluiceError("invalid_backup", "The master key in the backup is not the one of its data; it is damaged");
    }
    if (atHand !== undefined && !hasMadeCheck(atHand.key, check)) {
      throw new SluiceError(
        "master_key_mismatch",
        `The master key in ${atHand.place} is not the one of this backup. Nothing was changed. Remove it, or set the ` +
          "key of the backup, which `sluice master-key unseal` prints",
      );
    }
    if (atHand === undefined && text === undefined) {
      note(
        context,
        sealed === null
          ? "There is no master key here or in the backup, so nobody can check it. Set MASTER_KEY to the key of that relay."
          : "The master key of the backup is not used. Set MASTER_KEY to what `sluice master-key unseal` prints.",
      );
    }
  }
  return atHand === undefined ? text : undefined;
}

function noteSettings({ settings: then }: ArchiveHeader, context: CliContext): void {
  const now = listPlainSettings(context.env);
  for (const [name, value] of Object.entries(then)) {
    if (OF_MACHINE.test(name) || now[name] === value) continue;
    note(context, `The relay of the backup had ${name}=${value}; here it is ${now[name] ?? "not set"}.`);
  }
}

/** @returns the master key that is sealed in a backup. */
export async function unsealBackup(
  file: string,
  flags: Pick<RestoreFlags, "passphraseFile">,
  context: CliContext,
): Promise<string> {
  const passphrase = readPassphrase(context, flags.passphraseFile);
  if (passphrase === undefined) {
    throw new SluiceError("invalid_configuration", `Set --passphrase-file or ${PASSPHRASE_VARIABLE}`);
  }
  const { master_key: sealed, relay_id: relayId } = await checkArchive(openBackup(file, context));
  if (sealed === null) throw new SluiceError("not_found", "The backup was made without its master key");
  return unsealKey(sealed, passphrase, relayId);
}
