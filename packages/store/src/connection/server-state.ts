// What PostgreSQL says of itself, for operators: its version, its clock, and the version of the schema.

import type { Database } from "./database.ts";
import { findMigrationTag } from "./migrate.ts";

export interface PostgresServerState {
  version: string;
  /** Its clock, in milliseconds since 1970. */
  nowMs: number;
  /** The newest migration that was run, such as `0040_pull_targets`. Undefined for one of a newer version. */
  schema: string | undefined;
  databaseBytes: number;
}

const READ = `
SELECT current_setting('server_version') AS version, extract(epoch FROM clock_timestamp())::float8 * 1000 AS now_ms,
  pg_database_size(current_database())::float8 AS database_bytes,
  (SELECT max(created_at) FROM drizzle.__drizzle_migrations)::float8 AS migrated`;

export async function readServerState(db: Database): Promise<PostgresServerState> {
  const { rows } = await db.pool.query<{
    version: string;
    now_ms: number;
    database_bytes: number;
    migrated: number;
  }>(READ);
  const [row] = rows;
  if (row === undefined) throw new Error("PostgreSQL answered without a row");
  return {
    version: row.version,
    nowMs: row.now_ms,
    schema: findMigrationTag(row.migrated),
    databaseBytes: row.database_bytes,
  };
}
