// How an endpoint finds its target. A target that does not exist ends the request.

import type { MasterKey } from "@sluice/shared/settings/master-key";
import { notFound, type Reference } from "@sluice/store/configuration/names";
import { getTarget, getTargetForChange, type TargetRecord } from "@sluice/store/configuration/targets";
import type { Connection } from "@sluice/store/connection/database";

/** @throws SluiceError `not_found` */
export async function findTarget(on: Connection, masterKey: MasterKey, reference: Reference): Promise<TargetRecord> {
  const record = await getTarget(on, masterKey, reference);
  if (record === undefined) throw notFound("target", reference);
  return record;
}

/** Locks the target: until the transaction ends, no other one changes it. @throws SluiceError `not_found` */
export async function lockTarget(tx: Connection, masterKey: MasterKey, reference: Reference): Promise<TargetRecord> {
  const record = await getTargetForChange(tx, masterKey, reference);
  if (record === undefined) throw notFound("target", reference);
  return record;
}
