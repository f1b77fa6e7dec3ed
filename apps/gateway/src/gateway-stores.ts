// Opens the places where the gateway keeps data: its data directory, PostgreSQL and the queue. PostgreSQL and the queue do
// not have to answer for this: each connects when it can.

import { openQueueBackend } from "@sluice/queue/open-backend";
import type { Producer, QueueBackend } from "@sluice/queue/queue";
import { generateApiKey } from "@sluice/shared/domain/api-key";
import { SluiceError } from "@sluice/shared/runtime/errors";
import type { Logger } from "@sluice/shared/runtime/log";
import type { MasterKey } from "@sluice/shared/settings/master-key";
import { readOrCreateMasterKey } from "@sluice/shared/settings/master-key-file";
import { createFirstApiKey } from "@sluice/store/configuration/api-keys";
import { ensureBuiltInSources } from "@sluice/store/configuration/sources";
import { type ConnectingDatabase, connectDatabase } from "@sluice/store/connection/connect";
import { type Database, SEARCH_PLANS } from "@sluice/store/connection/database";
import { isTransient } from "@sluice/store/connection/postgres-errors";

import type { GatewayConfig } from "./gateway-config.ts";
import { readSnapshot } from "./ingress/snapshot-keeper.ts";
import type { SourceSnapshot } from "./ingress/source-snapshot.ts";

const MAX_CONNECTIONS = 10;

export interface GatewayStores extends ConnectingDatabase {
  masterKey: MasterKey;
  /** The sources of an earlier run, for a start while PostgreSQL is away. */
  snapshot: SourceSnapshot | undefined;
  backend: QueueBackend;
  producer: Producer;
}

/** @throws SluiceError when the data directory has no usable master key. */
export async function openStores(config: GatewayConfig, log: Logger): Promise<GatewayStores> {
  const masterKey = config.MASTER_KEY?.reveal() ?? readOrCreateMasterKey(config.DATA_DIR);
  const databaseUrl = config.DATABASE_URL.reveal();
  const snapshot = await readSnapshot(config.DATA_DIR, masterKey, log);
  const database = connectDatabase({
    url: databaseUrl,
    applicationName: "sluice-gateway",
    maxConnections: MAX_CONNECTIONS,
    settings: SEARCH_PLANS,
    masterKey,
    prepare: async (db) => {
      await ensureBuiltInSources(db);
      if (config.ADMIN_API_KEY === undefined) await printFirstApiKey(db);
    },
    // A gateway with a snapshot also waits while PostgreSQL refuses, for example, the password. It ends only on a
    // SluiceError, which says that the database does not belong to this gateway's sources.
    waitsFor: (error) => isTransient(error) || (snapshot !== undefined && !(error instanceof SluiceError)),
    log,
  });
  const { REDIS_URL, REDIS_DURABILITY, REDIS_REPLICAS } = config;
  const backend = openQueueBackend(databaseUrl, REDIS_URL?.reveal(), log, REDIS_DURABILITY, REDIS_REPLICAS);
  return { ...database, masterKey, snapshot, backend, producer: backend.openProducer() };
}

async function printFirstApiKey(db: Database): Promise<void> {
  const key = generateApiKey();
  // To the standard output and not to the log, which never has secrets. Nobody can see the key again.
  if (await createFirstApiKey(db, key)) process.stdout.write(`API key (shown this once): ${key}\n`);
}
