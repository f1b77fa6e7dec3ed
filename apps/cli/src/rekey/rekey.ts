// The work of `sluice rekey`: another master key for a relay that is stopped. With `--lost`, the old key is gone, and everything
// that it encrypted with it.

import { existsSync } from "node:fs";

import { SluiceError } from "@sluice/shared/runtime/errors";
import { commonSettings } from "@sluice/shared/settings/common";
import { readConfig, secretSetting } from "@sluice/shared/settings/read-config";
import { connectOnce } from "@sluice/store/connection/connect-once";
import { type LostSecret, listLostSecrets, loseSecrets, showOwner } from "@sluice/store/configuration/lose-secrets";
import { judgeKey, rekeyDatabase, storeCheck, withExclusiveDatabase } from "@sluice/store/configuration/rekey";
import { z } from "zod";

import {
  directUrlOf,
  findKeyAtHand,
  type KeyAtHand,
  readStoreSettings,
  type StoreSettings,
} from "../backup/store-settings.ts";
import { type CliContext, note, printJson } from "../cli-context.ts";
import { type NewKey, replaceKeyFile, takeNewKey } from "./new-key.ts";
import type { RekeyFlags } from "./rekey-command.ts";

const rekeyConfig = z.object({
  NEW_MASTER_KEY: secretSetting(z.string().optional()),
  GEMINI_API_KEY: commonSettings.GEMINI_API_KEY,
});

export async function rekey(context: CliContext): Promise<void> {
  const settings = readStoreSettings(context.env);
  const { NEW_MASTER_KEY: given, GEMINI_API_KEY: environmentKey } = readConfig(rekeyConfig, context.env);
  const current = findKeyAtHand(settings);
  if (current === undefined) {
    throw new SluiceError(
      "invalid_configuration",
      "There is no master key here: set MASTER_KEY or DATA_DIR as the gateway has it. If the key is lost, use --lost",
    );
  }
  requirePlaceForNew(current, given);
  const next = takeNewKey(settings, given);
  const values = await withExclusiveDatabase(directUrlOf(settings), async (client) => {
    // An earlier run had this new key, and ended before the key was in its place.
    if ((await judgeKey(client, next.key)) === "current") return undefined;
    if ((await judgeKey(client, current.key)) !== "current") throw wrongKey(current);
    return rekeyDatabase(client, current.key, next.key, environmentKey);
  });
  note(
    context,
    values === undefined
      ? "The database has this new master key already."
      : `${values} values are encrypted with the new master key now.`,
  );
  putInPlace(next, current, settings, context);
  note(context, "Callback URLs that were made before are refused from now on: make new ones. Start the relay again.");
}

export async function replaceLost(flags: RekeyFlags, context: CliContext): Promise<void> {
  const { NEW_MASTER_KEY: given } = readConfig(rekeyConfig, context.env);
  const keyFile = context.env["MASTER_KEY_FILE"];
  // The file may be what was lost. Only for this command: any other one says that it is not there.
  const isFileGone = keyFile !== undefined && keyFile !== "" && !existsSync(keyFile);
  if (isFileGone && given === undefined) throw needsNewKey("MASTER_KEY_FILE");
  const settings = readStoreSettings(isFileGone ? { ...context.env, MASTER_KEY_FILE: "" } : context.env);
  const atHand = findKeyAtHand(settings);
  requirePlaceForNew(atHand, given);
  const next = takeNewKey(settings, given);
  const lost = await withExclusiveDatabase(directUrlOf(settings), async (client) => {
    if ((await judgeKey(client, next.key)) === "current") return listLostSecrets(client);
    if (atHand !== undefined && (await judgeKey(client, atHand.key)) === "current") {
      throw new SluiceError(
        "invalid_configuration",
        `The master key in ${atHand.place} is the one of this database, so nothing is lost. Nothing was changed. Without ` +
          "--lost, the secrets are kept",
      );
    }
    const secrets = await loseSecrets(client);
    await storeCheck(client, next.key);
    return secrets;
  });
  putInPlace(next, atHand, settings, context);
  printLost(lost, flags, context);
  note(
    context,
    `${lost.length} secrets are lost. Their sources answer 503, so that senders come back, and their targets are paused. ` +
      "Start the relay, set each secret anew, and resume the targets. Callback URLs that were made before are refused.",
  );
}

export async function listLost(flags: RekeyFlags, context: CliContext): Promise<void> {
  const client = await connectOnce(directUrlOf(readStoreSettings(context.env)), "sluice-lost-secrets");
  try {
    printLost(await listLostSecrets(client), flags, context);
  } finally {
    await client.end();
  }
}

/** A line for each on stdout. */
function printLost(lost: readonly LostSecret[], { json }: RekeyFlags, context: CliContext): void {
  const shown = lost.map(({ owner, ownerId, name, what, truncated }) => ({
    owner,
    id: showOwner({ owner, ownerId }),
    name,
    what,
    truncated,
  }));
  if (json === true) printJson(context, shown);
  else
    for (const one of shown)
      context.stdout.write(
        `${Object.values(one)
          .filter((text) => text !== null)
          .join("\t")}\n`,
      );
}

/** A key that the environment gives can be replaced only there. */
function requirePlaceForNew(current: KeyAtHand | undefined, given: string | undefined): void {
  if (current?.place === "MASTER_KEY" && given === undefined) throw needsNewKey("MASTER_KEY");
}

const needsNewKey = (setting: "MASTER_KEY" | "MASTER_KEY_FILE") =>
  new SluiceError(
    "invalid_configuration",
    `${setting} is set, so set NEW_MASTER_KEY too (\`sluice master-key new\` prints one), and keep it: MASTER_KEY must have ` +
      "its value afterwards",
  );

const wrongKey = ({ place }: KeyAtHand) =>
  new SluiceError(
    "master_key_mismatch",
    `The master key in ${place} is not the one of this database. Nothing was changed. Check DATABASE_URL, or set the key ` +
      "with which the database was made. If that key is lost, use --lost",
  );

function putInPlace(next: NewKey, current: KeyAtHand | undefined, settings: StoreSettings, context: CliContext): void {
  if (next.kind === "given") {
    note(
      context,
      `Now put the new key where the old one was: ${current?.place ?? "MASTER_KEY"}. Keep the old one for older backups.`,
    );
    return;
  }
  const old = replaceKeyFile(settings, next.path);
  note(context, old === undefined ? "The new key is in DATA_DIR." : `The old key is in ${old}, for older backups.`);
}
