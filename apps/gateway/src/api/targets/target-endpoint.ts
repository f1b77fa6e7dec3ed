// What every endpoint of a target has in common: what it needs, and how a target is found.

import type { AddressGuard } from "@sluice/shared/address/guard";
import { parseId } from "@sluice/shared/domain/ids";
import { SluiceError } from "@sluice/shared/runtime/errors";
import type { MasterKey } from "@sluice/shared/settings/master-key";
import { getTarget, type TargetRecord } from "@sluice/store/configuration/targets";
import type { Connection, Database } from "@sluice/store/connection/database";

import type { WakeDependencies } from "../acting/wake.ts";
import { idParameter } from "../openapi/endpoint.ts";

export interface TargetsDependencies extends WakeDependencies {
  db: Database;
  masterKey: MasterKey;
  addressGuard: AddressGuard;
  /** Asks a worker to attempt one delivery now, whatever the state of its target. */
  testTarget: (targetId: string, deliveryId: string) => Promise<unknown>;
}

export const targetTags = ["targets"];
export const targetParams = idParameter("tgt_01h455vb4pex5vsknk084sn02q");

export const readTargetId = (text: string) => parseId("tgt", text, "{id}");

/** @throws SluiceError `not_found` */
export async function findTarget(on: Connection, masterKey: MasterKey, id: string): Promise<TargetRecord> {
  return existing(await getTarget(on, masterKey, id));
}

/** @throws SluiceError `not_found` */
export function existing(record: TargetRecord | undefined): TargetRecord {
  if (record === undefined) throw new SluiceError("not_found", "There is no target with this id");
  return record;
}
