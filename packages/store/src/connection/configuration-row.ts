// The one row of the table `configuration`. Its check tells whether the master key is the one that encrypted the secrets
// of this database.

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
  if (sealed === undefined) {
    throw new SluiceError("internal", "The table configuration has lost its one row; restore the database");
  }
  masterKey.decrypt(sealed, CHECK_OWNER);
}
