// The one row of `configuration`: the revision that tells caches when they are old, and the check that the
// master key is the one that the database's secrets were made with.

import { SluiceError } from "@sluice/shared/runtime/errors";
import type { MasterKey } from "@sluice/shared/settings/master-key";
import { type Connection, type Database, runPrepared } from "./database.ts";

const CHECK_OWNER = "configuration";
const CHECK_TEXT = "sluice";

/** Grows with every committed change to a source or a target. */
export async function readRevision(db: Database | Connection): Promise<number> {
  const [row] = await runPrepared<{ revision: string }>(db, {
    name: "read-revision",
    text: "SELECT revision FROM configuration",
    values: [],
  });
  return Number(row?.revision ?? 0);
}

/** Records the key's check on the first start, and compares it on every later one. @throws SluiceError `master_key_mismatch` */
export async function checkMasterKey(db: Database, masterKey: MasterKey): Promise<void> {
  await db.pool.query("UPDATE configuration SET master_key_check = $1 WHERE master_key_check IS NULL", [
    masterKey.encrypt(CHECK_TEXT, CHECK_OWNER),
  ]);
  const { rows } = await db.pool.query<{ master_key_check: Buffer }>("SELECT master_key_check FROM configuration");
  const sealed = rows[0]?.master_key_check;
  if (sealed === undefined) throw new SluiceError("internal", "The configuration row is missing");
  masterKey.decrypt(sealed, CHECK_OWNER);
}
