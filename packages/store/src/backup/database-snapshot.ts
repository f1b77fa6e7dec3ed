// One moment of a database, table by table, while gateways and workers go on. It is a transaction that sees nothing that
// is committed after its start, and that keeps old days from being dropped until it ends.

import type { Readable } from "node:stream";

import type pg from "pg";
import { to as copyTo } from "pg-copy-streams";

import { SluiceError } from "@sluice/shared/runtime/errors";

import { connectOnce } from "../connection/connect-once.ts";
import {
  type BackupLayout,
  type BackupTable,
  escapeName,
  escapeNames,
  readLayout,
  readTableNames,
} from "./backup-layout.ts";

/** What tells one database, and one state of its schema, from another. */
export interface DatabaseIdentity {
  relayId: string;
  /** The `when` of the last migration. */
  schema: number;
  /** A known text under the master key; null before the first start of a gateway or worker. */
  masterKeyCheck: Buffer | null;
}

export interface DatabaseSnapshot extends DatabaseIdentity {
  layout: BackupLayout;
  /** The rows of a table, in PostgreSQL's text format for COPY. */
  copyTable: (table: BackupTable) => Readable;
  /** The data of the intake jobs in PostgreSQL, in the same format: one column of JSON. */
  copyIntakeJobs: () => Readable;
  close: () => Promise<void>;
}

/** @throws SluiceError `not_found` when there is no relay in the database. */
export async function readIdentity(url: string): Promise<DatabaseIdentity> {
  const client = await connectOnce(url, "sluice-backup");
  try {
    return await selectIdentity(client);
  } finally {
    await client.end();
  }
}

/** @throws SluiceError `not_found` when there is no relay in the database. */
export async function openSnapshot(url: string): Promise<DatabaseSnapshot> {
  const client = await connectOnce(url, "sluice-backup");
  try {
    await selectIdentity(client);
    const names = await readTableNames(client);
    // The locks come before the first statement that reads, with which the moment begins: no table and no partition of
    // this moment can be dropped any more.
    await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    await client.query(`LOCK TABLE ${escapeNames(names)} IN ACCESS SHARE MODE`);
    // The dump is the same whatever the server is set to.
    await client.query(
      "SET LOCAL datestyle = 'ISO, YMD'; SET LOCAL timezone = 'UTC'; SET LOCAL extra_float_digits = 3",
    );
    const identity = await selectIdentity(client);
    const layout = await readLayout(client);
    return {
      ...identity,
      layout,
      copyTable: ({ name, columns }) =>
        client.query(copyTo(`COPY (SELECT ${escapeNames(columns)} FROM ${escapeName(name)}) TO STDOUT`)),
      copyIntakeJobs: () =>
        client.query(
          copyTo("COPY (SELECT data FROM bullmq.job WHERE queue = 'intake' AND state <> 'completed') TO STDOUT"),
        ),
      close: () => client.end(),
    };
  } catch (error) {
    await client.end();
    throw error;
  }
}

async function selectIdentity(client: pg.Client): Promise<DatabaseIdentity> {
  const { rows: found } = await client.query<{ exists: boolean }>(
    "SELECT to_regclass('configuration') IS NOT NULL AND to_regclass('drizzle.__drizzle_migrations') IS NOT NULL AS exists",
  );
  if (found[0]?.exists !== true) {
    throw new SluiceError("not_found", "There is no relay in this database: check DATABASE_URL");
  }
  const { rows } = await client.query<DatabaseIdentity>(
    `SELECT relay_id AS "relayId", master_key_check AS "masterKeyCheck",
       (SELECT max(created_at)::float8 FROM drizzle.__drizzle_migrations) AS schema
     FROM configuration`,
  );
  const [row] = rows;
  if (row === undefined) throw new SluiceError("internal", "The table configuration has lost its one row");
  return row;
}
