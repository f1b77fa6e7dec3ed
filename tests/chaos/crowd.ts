// A crowd of targets: thousands of rows, and one receiver process that has an address for each.

import { openDatabase } from "@sluice/store/connection/database";
import { insertTarget, TARGET_DEFAULTS } from "@sluice/store/configuration/targets";
import type { MasterKey } from "@sluice/shared/settings/master-key";
import { generateSigningSecret } from "@sluice/signature/secret";

import { claimPort } from "../support/ports.ts";
import type { Launch } from "./launch.ts";
import { loopbackAddress, TAKEN_PATH } from "./receiver.ts";
import { type ReceiverOnStage, startReceiver } from "./receivers.ts";

export interface CrowdOptions {
  targets: number;
  /** The only type of event that they subscribe to. */
  type: string;
}

export interface Crowd extends CrowdOptions {
  /** The UUIDs of the targets. */
  ids: string[];
  receiver: ReceiverOnStage;
}

/**
 * Adds targets with an address each. They go into the database directly, in one transaction, because the API would take
 * a minute.
 */
export async function addCrowd(
  directory: string,
  launch: Launch,
  { databaseUrl, masterKey }: { databaseUrl: string; masterKey: MasterKey },
  { targets, type }: CrowdOptions,
): Promise<Crowd> {
  const secret = generateSigningSecret();
  const port = await claimPort();
  const receiver = await startReceiver(directory, launch, {
    name: "crowd",
    secret: secret.text,
    port,
    addresses: targets,
  });
  const db = openDatabase({
    url: databaseUrl,
    applicationName: "sluice-chaos",
    maxConnections: 1,
    onError: () => undefined,
  });
  try {
    const ids: string[] = [];
    await db.orm.transaction(async (tx) => {
      for (let index = 0; index < targets; index++) {
        const uri = `http://${loopbackAddress(index)}:${port}${TAKEN_PATH}`;
        const settings = { ...TARGET_DEFAULTS, name: `crowd-${index}`, uri, subscribedEvents: [type] };
        ids.push(await insertTarget({ orm: tx }, masterKey, settings, secret));
      }
    });
    return { targets, type, ids, receiver };
  } finally {
    await db.close();
  }
}
