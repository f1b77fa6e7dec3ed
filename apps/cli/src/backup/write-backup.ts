// Makes a backup of a relay that may be running. Redis is read first and PostgreSQL second: a job that a worker finishes
// in between has its events in PostgreSQL by then, so that every event which was acknowledged before is in the backup.

import type { Writable } from "node:stream";

import { SLUICE_VERSION } from "@sluice/shared/domain/version";
import { SluiceError } from "@sluice/shared/runtime/errors";
import type { RedisServers } from "@sluice/queue/redis-client";
import { readIntakeJobs } from "@sluice/queue/backup-intake";
import { hasMadeCheck } from "@sluice/store/connection/configuration-row";
import { type DatabaseIdentity, openSnapshot, readIdentity } from "@sluice/store/backup/database-snapshot";

import { FORMAT, INTAKE_SECTION } from "./archive-format.ts";
import { ArchiveWriter } from "./archive-writer.ts";
import { sealKey } from "./sealed-key.ts";
import type { KeyAtHand } from "./store-settings.ts";

export interface BackupOptions {
  databaseUrl: string;
  /** Undefined for a relay whose queues are in PostgreSQL alone. */
  redis: RedisServers | undefined;
  key: KeyAtHand | undefined;
  /** Seals the key; undefined leaves it out. */
  passphrase: string | undefined;
  /** Settings to note in the backup. */
  settings: Record<string, string>;
  onTable: (name: string) => void;
}

export interface BackupSummary {
  relay_id: string;
  tables: number;
  /** Intake jobs that were in Redis. Those in PostgreSQL are not counted. */
  redis_jobs: number;
  bytes: number;
  has_master_key: boolean;
}

/** @param end whether the destination ends with the backup. */
export async function writeBackup(
  destination: Writable,
  { end }: { end: boolean },
  { databaseUrl, redis, key, passphrase, settings, onTable }: BackupOptions,
): Promise<BackupSummary> {
  const identity = await readIdentity(databaseUrl);
  requireOwnKey(identity, key);
  const writer = new ArchiveWriter(destination, { end });
  try {
    await writer.writeHeader({
      format: FORMAT,
      version: SLUICE_VERSION,
      made_at: new Date().toISOString(),
      relay_id: identity.relayId,
      schema: identity.schema,
      master_key_check: identity.masterKeyCheck?.toString("base64") ?? null,
      master_key:
        key === undefined || passphrase === undefined
          ? null
          : await sealKey(key.text.reveal(), passphrase, identity.relayId),
      settings,
    });
    const jobs = redis === undefined ? 0 : await writer.writeIntakeJobs(readIntakeJobs(redis, identity.relayId));
    const snapshot = await openSnapshot(databaseUrl);
    try {
      requireSame(identity, snapshot);
      await writer.writeLayout(snapshot.layout);
      for (const table of snapshot.layout.tables) {
        onTable(table.name);
        await writer.writeTable(table, snapshot.copyTable(table));
      }
      await writer.writeTable({ name: INTAKE_SECTION, columns: ["data"] }, snapshot.copyIntakeJobs());
      await writer.finish();
      const tables = snapshot.layout.tables.length;
      const hasKey = key !== undefined && passphrase !== undefined;
      return { relay_id: identity.relayId, tables, redis_jobs: jobs, bytes: writer.bytes, has_master_key: hasKey };
    } finally {
      await snapshot.close();
    }
  } catch (error) {
    writer.abort();
    throw error;
  }
}

function requireOwnKey({ masterKeyCheck }: DatabaseIdentity, key: KeyAtHand | undefined): void {
  if (key === undefined || masterKeyCheck === null || hasMadeCheck(key.key, masterKeyCheck)) return;
  throw new SluiceError(
    "master_key_mismatch",
    `The master key in ${key.place} is not the one of this database. Check DATABASE_URL, and set the key with which ` +
      "this database was made",
  );
}

/** The header was written before the snapshot was taken. */
function requireSame(before: DatabaseIdentity, now: DatabaseIdentity): void {
  const isSame =
    before.relayId === now.relayId &&
    before.schema === now.schema &&
    (before.masterKeyCheck ?? Buffer.alloc(0)).equals(now.masterKeyCheck ?? Buffer.alloc(0));
  if (isSame) return;
  throw new SluiceError("name_taken", "The database was migrated or got another master key meanwhile. Try again");
}
