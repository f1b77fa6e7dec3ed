// The one row of the table `configuration`. Its check tells whether the master key is the one that encrypted the secrets
// of this database, and its id tells this relay from others.

import { SluiceError } from "@sluice/shared/runtime/errors";
import type { MasterKey } from "@sluice/shared/settings/master-key";

import type { Database } from "./database.ts";

const CHECK_OWNER = "configuration";
const CHECK_TEXT = "sluice";

/**
 * Stores the check of the master key at the first start and compares it later.
 * @throws SluiceError `master_key_mismatch`
 */
export async function checkMasterKey(db: Database, masterKey: MasterKey): Promise<void> {
  await db.pool.query("UPDATE configuration SET master_key_check = $1 WHERE master_key_check IS NULL", [
    makeCheck(masterKey),
  ]);
  const { rows } = await db.pool.query<{ master_key_check: Buffer }>("SELECT master_key_check FROM configuration");
  const sealed = rows[0]?.master_key_check;
  if (sealed === undefined) throw lostRow();
  if (hasMadeCheck(masterKey, sealed)) return;
  throw new SluiceError(
    "master_key_mismatch",
    "The MASTER_KEY of this process is not the key of this database. One of the two is wrong. If DATABASE_URL leads to " +
      "another relay's database, correct it. If it is the right database, set the MASTER_KEY (or restore DATA_DIR/" +
      "master-key) with which it was made; a backup has it: `sluice master-key unseal`. If the key is lost for good, " +
      "`sluice rekey --lost` is the way back. Do not delete the database",
  );
}

/** What tells later whether another key is the one of the database. */
export function makeCheck(masterKey: MasterKey): Buffer {
  return masterKey.encrypt(CHECK_TEXT, CHECK_OWNER);
}

/** Whether the check of a database was made with this key. */
export function hasMadeCheck(masterKey: MasterKey, sealed: Buffer): boolean {
  try {
    return masterKey.decrypt(sealed, CHECK_OWNER) === CHECK_TEXT;
  } catch {
    return false;
  }
}

/** @returns the identity of this relay, a UUID, which stays the same for as long as the database, and in its dumps. */
export async function readRelayId(db: Database): Promise<string> {
  const { rows } = await db.pool.query<{ relay_id: string }>("SELECT relay_id FROM configuration");
  const [row] = rows;
  if (row === undefined) throw lostRow();
  return row.relay_id;
}

function lostRow(): SluiceError {
  return new SluiceError("internal", "The table configuration has lost its one row; restore the database");
}
