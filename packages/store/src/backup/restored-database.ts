// Loads a backup into an empty database, in one transaction: either all of it is there afterwards, or nothing.

import type { Writable } from "node:stream";

import type pg from "pg";
import { from as copyFrom } from "pg-copy-streams";

import { SluiceError } from "@sluice/shared/runtime/errors";

import { connectOnce } from "../connection/connect-once.ts";
import {
  type BackupLayout,
  type BackupPartition,
  type BackupTable,
  escapeName,
  escapeNames,
  readLayout,
} from "./backup-layout.ts";

export interface RestoredDatabase {
  /** In a transaction, which {@link commit} ends. */
  client: pg.Client;
  /** Makes room for what the backup has. @throws SluiceError `invalid_backup` when its tables are not those here. */
  prepare: (layout: BackupLayout) => Promise<void>;
  /** Takes the rows of a table in PostgreSQL's text format for COPY. */
  loadTable: (table: BackupTable) => Writable;
  commit: () => Promise<void>;
  /** Ends the connection. Without a commit, nothing has changed. */
  close: () => Promise<void>;
}

/** The tables in which a relay that ran has rows. What a migration inserts is in others. */
const USED_BY_RELAYS = ["sources", "targets", "api_keys", "events", "deliveries", "audit", "workers"];
const PARTITION_NAME = /^_(?:kept_[0-9]{8}_)?[0-9]{8}$/;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * Whether a database holds no relay: it was not migrated, or nothing ran on it since.
 * @throws SluiceError `database_not_empty` when a relay is in it.
 */
export async function requireEmpty(url: string): Promise<void> {
  const client = await connectOnce(url, "sluice-restore");
  try {
    await refuseUsed(client);
  } finally {
    await client.end();
  }
}

async function refuseUsed(client: pg.Client): Promise<void> {
  for (const table of ["configuration", ...USED_BY_RELAYS]) {
    const { rows: found } = await client.query<{ exists: boolean }>("SELECT to_regclass($1) IS NOT NULL AS exists", [
      table,
    ]);
    if (found[0]?.exists !== true) continue;
    const condition = table === "configuration" ? "WHERE master_key_check IS NOT NULL" : "";
    const { rows } = await client.query<{ used: boolean }>(`SELECT EXISTS (SELECT FROM ${table} ${condition}) AS used`);
    if (rows[0]?.used !== true) continue;
    throw new SluiceError(
      "database_not_empty",
      `The database is not empty: a relay has used it (its table ${table}). Nothing was changed. Restore into a new ` +
        "database; docs/runbooks/restore.md has the commands",
    );
  }
}

/** @param url of the owner of the schema. The database MUST be migrated to the schema of the backup. */
export async function openRestoredDatabase(url: string): Promise<RestoredDatabase> {
  const client = await connectOnce(url, "sluice-restore");
  let here: BackupLayout;
  try {
    await client.query("BEGIN");
    // A gateway that starts now waits for this lock, and then finds the relay of the backup.
    await client.query("LOCK TABLE configuration IN ACCESS EXCLUSIVE MODE");
    await refuseUsed(client);
    here = await readLayout(client);
  } catch (error) {
    await client.end();
    throw error;
  }
  return {
    client,
    prepare: async (layout) => {
      checkLayout(here, layout);
      await client.query(`TRUNCATE ${escapeNames(here.tables.map(({ name }) => name))}`);
      // Revisions and names are in the backup as the triggers left them.
      for (const { name } of here.tables) await client.query(`ALTER TABLE ${escapeName(name)} DISABLE TRIGGER USER`);
      for (const { name } of here.partitions) await client.query(`DROP TABLE ${escapeName(name)}`);
      for (const partition of layout.partitions) await makePartition(client, partition);
      for (const { name, lastValue, isCalled } of layout.sequences) {
        await client.query("SELECT setval($1::regclass, $2::bigint, $3)", [escapeName(name), lastValue, isCalled]);
      }
    },
    loadTable: ({ name, columns }) =>
      client.query(copyFrom(`COPY ${escapeName(name)} (${escapeNames(columns)}) FROM STDIN`)),
    commit: async () => {
      for (const { name } of here.tables) await client.query(`ALTER TABLE ${escapeName(name)} ENABLE TRIGGER USER`);
      await client.query("COMMIT");
      // Without statistics, the first plans would be those for empty tables.
      await client.query("ANALYZE");
    },
    close: () => client.end(),
  };
}

const describeLayout = ({ tables, sequences }: BackupLayout): string =>
  JSON.stringify([tables.map(({ name, columns }) => [name, columns]), sequences.map(({ name }) => name)]);

/** The same schema has the same tables. Whatever differs was not written by `sluice backup`. */
function checkLayout(here: BackupLayout, layout: BackupLayout): void {
  if (describeLayout(here) !== describeLayout(layout)) {
    throw new SluiceError("invalid_backup", "The backup has other tables than its schema; it is damaged");
  }
  const parents = new Set(here.partitions.map(({ table }) => table));
  for (const { table, name, from, to } of layout.partitions) {
    const isOfTable = parents.has(table) && name.startsWith(table) && PARTITION_NAME.test(name.slice(table.length));
    if (!isOfTable || !UUID.test(from) || !UUID.test(to)) {
      throw new SluiceError("invalid_backup", `The backup has a partition that no log table has: ${name}`);
    }
  }
}

/** As ensure_partitions makes them. The bounds are checked to be UUIDs, because a statement cannot take parameters there. */
async function makePartition(client: pg.Client, { table, name, from, to }: BackupPartition): Promise<void> {
  await client.query(`CREATE TABLE ${escapeName(name)} (LIKE ${escapeName(table)} INCLUDING ALL)`);
  await client.query(
    `ALTER TABLE ${escapeName(table)} ATTACH PARTITION ${escapeName(name)} FOR VALUES FROM ('${from}') TO ('${to}')`,
  );
}
