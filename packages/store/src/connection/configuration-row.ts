// The one row of the table `configuration`. Its revision tells a copy of the configuration whether it is old, and its
// check tells whether the master key is the one that encrypted the secrets of this database.

import { SluiceError } from "@sluice/shared/runtime/errors";
import type { MasterKey } from "@sluice/shared/settings/master-key";

import { type Connection, type Database, runPrepared } from "./database.ts";

const CHECK_OWNER = "configuration";
const CHECK_TEXT = "sluice";

/** @returns the revision, which grows with every committed change to a source or a target. */
export async function readRevision(db: Database | Connection): Promise<number> {
  const [row] = await runPrepared<{ revision: string }>(db, {
    name: "read-revision",
    text: "SELECT revision FROM configuration",
    values: [],
  });
  return Number(row?.revision ?? 0);
}

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
