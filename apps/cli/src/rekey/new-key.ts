// The new master key of `sluice rekey`: it is safe on disk before the database depends on it, and takes the place of the
// old one only afterwards.

import { randomBytes } from "node:crypto";
import { existsSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

import { SluiceError } from "@sluice/shared/runtime/errors";
import { type MasterKey, readMasterKey } from "@sluice/shared/settings/master-key";

import { keyFileOf, type StoreSettings } from "../backup/store-settings.ts";

export type NewKey =
  /** The operator gave it, and sets it as MASTER_KEY afterwards. */
  | { kind: "given"; key: MasterKey }
  /** It is in `DATA_DIR/master-key.new`. */
  | { kind: "file"; key: MasterKey; path: string };

/** @throws SluiceError `invalid_configuration` when the file cannot be made, or holds no key. */
export function takeNewKey(settings: StoreSettings, given: string | undefined): NewKey {
  if (given !== undefined) return { kind: "given", key: requireMasterKey(given, "NEW_MASTER_KEY") };
  const path = `${keyFileOf(settings)}.new`;
  // An earlier run may have ended after the database had the new key.
  if (!existsSync(path)) makeKeyFile(path, `${randomBytes(32).toString("base64")}\n`);
  return { kind: "file", key: requireMasterKey(readFileSync(path, "utf8"), path), path };
}

/** Makes a file that is complete as soon as it exists. @throws SluiceError `invalid_configuration` when it cannot. */
export function makeKeyFile(path: string, content: string): void {
  const draft = `${path}.${randomBytes(4).toString("hex")}`;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o711 });
    writeFileSync(draft, content, { flag: "wx", mode: 0o600, flush: true });
    linkSync(draft, path);
  } catch (error) {
    const reason = error instanceof Error && "code" in error ? String(error.code) : "unknown reason";
    throw new SluiceError(
      "invalid_configuration",
      `The master key cannot be written to ${path} (${reason}). Nothing was changed. Make DATA_DIR writable, or give the ` +
        "key in the environment",
    );
  } finally {
    rmSync(draft, { force: true });
  }
}

/**
 * Puts a new key file in the place of the old one, which is kept.
 * @returns where the old key is now; undefined when there was none.
 */
export function replaceKeyFile(settings: StoreSettings, path: string): string | undefined {
  const place = keyFileOf(settings);
  const kept = `${place}.until-${new Date().toISOString().replaceAll(/[:.]/g, "-")}`;
  const hasOld = existsSync(place);
  if (hasOld) linkSync(place, kept);
  renameSync(path, place);
  return hasOld ? kept : undefined;
}

function requireMasterKey(text: string, place: string): MasterKey {
  const key = readMasterKey(text);
  if (key !== undefined) return key;
  throw new SluiceError(
    "invalid_configuration",
    `${place} must hold 32 bytes in base64, as \`sluice master-key new\` prints`,
  );
}
