// Whether PostgreSQL has enough connections for this process. A process that finds out later fails under load, when it
// first needs all of its connections.

import type { Logger } from "@sluice/shared/runtime/log";

import type { Database } from "./database.ts";

export interface ServerConnections {
  /** `max_connections`, less what is reserved for superusers and for `pg_use_reserved_connections`. */
  usable: number;
  /** The connections of all clients to all databases of the server, without the one that asks. */
  inUse: number;
}

// Every role may read both views. `pg_stat_activity` hides the kind of another role's connection.
const READ_CONNECTIONS = `
SELECT (SELECT sum(CASE name WHEN 'max_connections' THEN setting::int ELSE -setting::int END)::int FROM pg_settings
    WHERE name IN ('max_connections', 'superuser_reserved_connections', 'reserved_connections')) AS usable,
  (SELECT sum(numbackends)::int FROM pg_stat_database) - 1 AS in_use`;

export async function readServerConnections(db: Database): Promise<ServerConnections> {
  const { rows } = await db.pool.query<{ usable: number; in_use: number }>(READ_CONNECTIONS);
  return { usable: rows[0]?.usable ?? 0, inUse: rows[0]?.in_use ?? 0 };
}

/**
 * Logs a warning when the connections that are free now are fewer than this process may open.
 * @param wanted the connections that the process may open to PostgreSQL itself, of which none is open yet.
 */
export async function warnOfConnections(db: Database, wanted: number, log: Logger): Promise<void> {
  const { usable, inUse } = await readServerConnections(db);
  if (inUse + wanted <= usable) return;
  log.warn(
    { usable, in_use: inUse, wanted },
    `PostgreSQL has too few connections: ${inUse} of ${usable} are in use, and this process may open ${wanted}; ` +
      "raise max_connections, lower DATABASE_MAX_CONNECTIONS, or put a pooler in front",
  );
}
