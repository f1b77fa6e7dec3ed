// Opens the places where the gateway keeps data: its data directory, PostgreSQL and the queue. PostgreSQL and the queue do
// not have to answer for this: each connects when it can.

import { openQueueBackend } from "@sluice/queue/open-backend";
import type { Producer, QueueBackend } from "@sluice/queue/queue";
import { readRedisServers } from "@sluice/queue/redis-client";
import { RelayIdentity } from "@sluice/queue/relay-identity";
import { generateApiKey } from "@sluice/shared/domain/api-key";
import { SluiceError } from "@sluice/shared/runtime/errors";
import type { Logger } from "@sluice/shared/runtime/log";
import type { MasterKey } from "@sluice/shared/settings/master-key";
import { readOrCreateMasterKey } from "@sluice/shared/settings/master-key-file";
import { createFirstApiKey } from "@sluice/store/configuration/api-keys";
import { ensureBuiltInSources } from "@sluice/store/configuration/sources";
import { readRelayId } from "@sluice/store/connection/configuration-row";
import { connectDatabases } from "@sluice/store/connection/connect";
import { type Database, SEARCH_PLANS, STEADY_PLANS } from "@sluice/store/connection/database";
import { divideConnections } from "@sluice/store/connection/divide-connections";
import { isTransient } from "@sluice/store/connection/postgres-errors";
import { readPostgresServer } from "@sluice/store/connection/postgres-server";

import type { GatewayConfig } from "./gateway-config.ts";
import { removeSnapshotFile, snapshotPath } from "./ingress/snapshot-file.ts";
import { readSnapshot } from "./ingress/snapshot-keeper.ts";
import type { SourceSnapshot } from "./ingress/source-snapshot.ts";

/**
 * How the connections are divided. The settings of DATABASE_MAX_CONNECTIONS hold the sums of these minimums and shares.
 * Requests of the API may be slow; the ingress MUST NOT wait for them.
 */
const CONNECTIONS = {
  api: { min: 2, share: 6 },
  ingress: { min: 1, share: 3 },
  producer: { min: 1, share: 3 },
  pulls: { min: 1, share: 3 },
};
const API_LIMIT_MS = 30_000;
const INGRESS_LIMIT_MS = 10_000;

export interface GatewayStores {
  /** Until PostgreSQL is prepared, statements of all three fail with `unavailable`, as if PostgreSQL were away. */
  apiDb: Database;
  ingressDb: Database;
  /** For pull targets, with the settings of a worker. */
  pullDb: Database;
  /** Rejects when the gateway must not go on. `closed` when the gateway stopped before PostgreSQL was prepared. */
  prepared: Promise<"prepared" | "closed">;
  closeDatabases: () => Promise<void>;
  masterKey: MasterKey;
  /** The sources of an earlier run, for a start while PostgreSQL is away. */
  snapshot: SourceSnapshot | undefined;
  /** Settled by PostgreSQL, or by the snapshot when PostgreSQL takes too long. */
  identity: RelayIdentity;
  backend: QueueBackend;
  producer: Producer;
}

/** @throws SluiceError when the data directory has no usable master key. */
export async function openStores(config: GatewayConfig, log: Logger): Promise<GatewayStores> {
  const masterKey = config.MASTER_KEY?.reveal() ?? readOrCreateMasterKey(config.DATA_DIR);
  const server = readPostgresServer(config);
  const connections = divideConnections(config.DATABASE_MAX_CONNECTIONS, CONNECTIONS);
  const snapshot = await readSnapshot(config.DATA_DIR, masterKey, log);
  const identity = new RelayIdentity();
  const { databases, prepared, close } = connectDatabases({
    server,
    applicationName: "sluice-gateway",
    pools: {
      api: { maxConnections: connections.api, settings: SEARCH_PLANS, answerLimitMs: API_LIMIT_MS },
      ingress: { maxConnections: connections.ingress, answerLimitMs: INGRESS_LIMIT_MS },
      pulls: { maxConnections: connections.pulls, settings: STEADY_PLANS, answerLimitMs: API_LIMIT_MS },
    },
    connections: { all: config.DATABASE_MAX_CONNECTIONS, sessions: 0 },
    masterKey,
    prepare: async (db) => {
      await settleIdentity(identity, await readRelayId(db), config.DATA_DIR);
      await ensureBuiltInSources(db);
      if (config.ADMIN_API_KEY === undefined) await printFirstApiKey(db);
    },
    // A gateway with a snapshot also waits while PostgreSQL refuses, for example, the password. It ends only on a
    // SluiceError, which says that the database does not belong to this gateway's sources.
    waitsFor: (error) => isTransient(error) || (snapshot !== undefined && !(error instanceof SluiceError)),
    log,
  });
  const backend = openQueueBackend({
    postgres: { server, producerConnections: connections.producer },
    redis: readRedisServers(config),
    identity,
    durability: config.REDIS_DURABILITY,
    replicas: config.REDIS_REPLICAS,
    log,
  });
  return {
    apiDb: databases.api,
    ingressDb: databases.ingress,
    pullDb: databases.pulls,
    prepared,
    closeDatabases: close,
    masterKey,
    snapshot,
    identity,
    backend,
    producer: backend.openProducer(),
  };
}

/** @throws SluiceError `relay_changed` when the snapshot was of another relay; the next start finds no snapshot. */
async function settleIdentity(identity: RelayIdentity, id: string, dataDir: string): Promise<void> {
  try {
    identity.settle(id);
  } catch (error) {
    await removeSnapshotFile(snapshotPath(dataDir));
    throw error;
  }
}

async function printFirstApiKey(db: Database): Promise<void> {
  const key = generateApiKey();
  // To the standard output and not to the log, which never has secrets. Nobody can see the key again.
  if (await createFirstApiKey(db, key)) process.stdout.write(`API key (shown this once): ${key}\n`);
}
