// Writes everything that a database holds as text, so that a test can check that a secret is not in it.

import type { Database } from "@sluice/store/connection/database";

/** Every row of every table as JSON, one per line; bytes are in hex. */
export async function dumpDatabase(db: Database): Promise<string> {
  const { rows: tables } = await db.pool.query<{ name: string }>(
    "SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) AS name FROM pg_tables WHERE schemaname NOT " +
      "IN ('pg_catalog', 'information_schema')",
  );
  const dumps = await Promise.all(
    tables.map(({ name }) => db.pool.query<{ row: string }>(`SELECT row_to_json(t)::text AS row FROM ${name} t`)),
  );
  return dumps.flatMap(({ rows }) => rows.map(({ row }) => row)).join("\n");
}
