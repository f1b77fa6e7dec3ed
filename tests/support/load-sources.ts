// What a gateway holds in memory of the sources that are stored now.

import type { MasterKey } from "@sluice/shared/settings/master-key";
import { loadStoredSources, openSource, type Source } from "@sluice/store/configuration/sources";
import type { Database } from "@sluice/store/connection/database";

/** Loads every source with its keys in the clear. */
export async function loadSources(db: Database, masterKey: MasterKey): Promise<Source[]> {
  return (await loadStoredSources(db)).map((stored) => openSource(masterKey, stored));
}
