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
    masterKey.encrypt(CHECK_TEXT, CHECK_OWNER),
  ]);
  const { rows } = await db.pool.query<{ master_key_check: Buffer }>("SELECT master_key_check FROM configuration");
  const sealed = rows[0]?.master_key_check;
  if (sealed === undefined) throw lostRow();
  masterKey.decrypt(sealed, CHECK_OWNER);
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
