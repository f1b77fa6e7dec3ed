// Remembers, for all processes and over their restarts, how many replicas a Redis had.

import type pg from "pg";

/** A replica that is away for longer than this does not come back. */
const REMEMBERED = "interval '24 hours'";
/** How exact the times are. Each process reports its replicas at least twice a minute; most reports write nothing. */
const NOTED_EACH = "interval '1 minute'";

/** A table with its schema, because the pools of the queue have another search path. */
const TABLE = "public.redis_replicas";

/**
 * Notes how many replicas a Redis has now.
 * @param redis names the Redis, the same in all processes.
 * @returns the most that any process has seen in the last 24 hours, at least `seen`.
 * @throws Error when PostgreSQL is away, or the table is not there yet.
 */
export async function noteRedisReplicas(pool: Pick<pg.Pool, "query">, redis: string, seen: number): Promise<number> {
  const { rows } = await pool.query<{ most: number }>(
    `WITH noted AS (
       INSERT INTO ${TABLE} AS old (redis, seen) SELECT $1, $2::integer WHERE $2 > 0
       ON CONFLICT (redis, seen) DO UPDATE SET last_seen_at = now() WHERE old.last_seen_at < now() - ${NOTED_EACH}
     ), forgotten AS (
       DELETE FROM ${TABLE} WHERE last_seen_at < now() - ${REMEMBERED} AND (redis, seen) <> ($1, $2)
     )
     SELECT greatest($2, max(seen)) AS most FROM ${TABLE}
     WHERE redis = $1 AND last_seen_at >= now() - ${REMEMBERED}`,
    [redis, seen],
  );
  return rows[0]?.most ?? seen;
}
