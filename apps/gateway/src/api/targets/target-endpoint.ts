// What the endpoints of targets share: the dependencies that they need, and the parts of their descriptions.

import type { AddressGuard } from "@sluice/shared/address/guard";
import { parseId } from "@sluice/shared/domain/ids";
import type { MasterKey } from "@sluice/shared/settings/master-key";
import type { Database } from "@sluice/store/connection/database";
import type { Tracing } from "@sluice/tracing/tracing";

import type { WakeDependencies } from "../acting/wake.ts";
import { idParameter } from "../openapi/endpoint.ts";

export interface TargetsDependencies extends WakeDependencies {
  db: Database;
  masterKey: MasterKey;
  addressGuard: AddressGuard;
  /** Asks a worker to attempt one delivery now, even if its target is paused or disabled. */
  testTarget: (targetId: string, deliveryId: string) => Promise<unknown>;
  /** Undefined where nothing is traced. */
  tracing: Tracing | undefined;
}

export const targetTags = ["targets"];
export const targetParams = idParameter("tgt", "the target");

/** @returns the UUID of the id in the path. @throws SluiceError `invalid_id` */
export const readTargetId = (text: string) => parseId("tgt", text, "{id}");
