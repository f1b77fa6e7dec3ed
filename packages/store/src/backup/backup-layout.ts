// Which tables a relay has, with their columns, partitions and sequences, as its database says. A backup names them, and
// a restore compares.

import type pg from "pg";

export interface BackupTable {
  name: string;
  columns: string[];
}

/** A partition of a log table, from one id to another. */
export interface BackupPartition {
  table: string;
  name: string;
  from: string;
  to: string;
}

export interface BackupSequence {
  name: string;
  lastValue: string;
  isCalled: boolean;
}

export interface BackupLayout {
  /** A table comes after those that its rows refer to. */
  tables: BackupTable[];
  partitions: BackupPartition[];
  sequences: BackupSequence[];
}

// The tables of one owner, because somebody else may have tables in this schema.
const TABLES = `
WITH RECURSIVE own AS (
  SELECT c.oid, c.relname FROM pg_class c
  WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    AND c.relowner = (SELECT relowner FROM pg_class WHERE oid = 'configuration'::regclass)
),
depth AS (
  SELECT oid, 0 AS depth FROM own
  UNION
  SELECT conrelid, depth + 1 FROM depth JOIN pg_constraint ON contype = 'f' AND confrelid = depth.oid
    AND conrelid <> confrelid
)
SELECT relname AS name, ARRAY(
  SELECT attname::text FROM pg_attribute
  WHERE attrelid = own.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum
) AS columns
FROM own ORDER BY (SELECT max(depth) FROM depth WHERE depth.oid = own.oid), relname`;

const PARTITIONS = `
SELECT p.relname AS table, c.relname AS name, bounds[1] AS from, bounds[2] AS to
FROM pg_inherits JOIN pg_class p ON p.oid = inhparent JOIN pg_class c ON c.oid = inhrelid,
  regexp_match(pg_get_expr(c.relpartbound, c.oid), '^FOR VALUES FROM \\(''(.*)''\\) TO \\(''(.*)''\\)$') AS bounds
WHERE p.relkind = 'p' AND p.relnamespace = current_schema()::regnamespace ORDER BY 1, 2`;

const SEQUENCES = `
SELECT c.relname AS name FROM pg_class c WHERE c.relkind = 'S' AND c.relnamespace = current_schema()::regnamespace
  AND c.relowner = (SELECT relowner FROM pg_class WHERE oid = 'configuration'::regclass) ORDER BY 1`;

export async function readLayout(client: pg.Client): Promise<BackupLayout> {
  const { rows: tables } = await client.query<BackupTable>(TABLES);
  const { rows: partitions } = await client.query<BackupPartition>(PARTITIONS);
  const { rows: names } = await client.query<{ name: string }>(SEQUENCES);
  const sequences: BackupSequence[] = [];
  for (const { name } of names) {
    const { rows } = await client.query<BackupSequence>(
      `SELECT $1 AS name, last_value::text AS "lastValue", is_called AS "isCalled" FROM ${escapeName(name)}`,
      [name],
    );
    sequences.push(...rows);
  }
  return { tables, partitions, sequences };
}

/** The names of the tables, without reading what is in them. */
export async function readTableNames(client: pg.Client): Promise<string[]> {
  return (await client.query<BackupTable>(TABLES)).rows.map(({ name }) => name);
}

export const escapeName = (name: string): string => `"${name.replaceAll('"', '""')}"`;

export const escapeNames = (names: readonly string[]): string => names.map(escapeName).join(", ");
