// How an endpoint finds its target. A target that does not exist ends the request.

import { SluiceError } from "@sluice/shared/runtime/errors";
import type { MasterKey } from "@sluice/shared/settings/master-key";
import { getTarget, getTargetForChange, type TargetRecord } from "@sluice/store/configuration/targets";
import type { Connection } from "@sluice/store/connection/database";

/** @throws SluiceError `not_found` */
export async function findTarget(on: Connection, masterKey: MasterKey, id: string): Promise<TargetRecord> {
  const record = await getTarget(on, masterKey, id);
  if (record === undefined) throw targetNotFound();
  return record;
}

/** Locks the target: until the transaction ends, no other one changes it. @throws SluiceError `not_found` */
export async function lockTarget(tx: Connection, masterKey: MasterKey, id: string): Promise<TargetRecord> {
  const record = await getTargetForChange(tx, masterKey, id);
  if (record === undefined) throw targetNotFound();
  return record;
}

const targetNotFound = () => new SluiceError("not_found", "There is no target with this id");
