// Counts the changes into the figures. Each run takes what was committed since the snapshot that the last one stored, and
// stores its own with the figures, in one transaction: whatever crashes, and however many workers run it, everything is
// counted once. No statement of the relay waits for it.

import { type Database, hasSqlState } from "../connection/database.ts";
import { inIdRange } from "../delivery/deliveries.ts";
import { LATENCY_BOUNDS_MS } from "./latency.ts";

/** "stat" in ASCII. */
const LOCK_KEY = 0x7374_6174;
/** Another run committed since this one took its snapshot. */
const SERIALIZATION_FAILURE = "40001";
/** For clients of the live tail that come back. */
const CHANGES_HOURS = 24;
const MINUTES_DAYS = 2;
const PRUNE_BATCH = 5_000;

/**
 * Of one run: some seconds of work, where a backlog of hours would take longer than a statement may.
 */
const MAX_CHANGES = 1_000;

// Subqueries, because a join reads all changes of the day: the planner knows only of constants that an index helps.
const FRESH = `FROM changes c
WHERE c.xid >= (SELECT pg_snapshot_xmin(counted) FROM stats_position)
  AND NOT pg_visible_in_snapshot(c.xid, (SELECT counted FROM stats_position))`;

// Up to here this run counts: all that is committed, or where there is too much, all transactions up to one that no
// other can come before any more.
const NEXT = `
SELECT CASE WHEN up_to < pg_snapshot_xmin(pg_current_snapshot())::text::numeric
    THEN format('%s:%s:', up_to + 1, up_to + 1) ELSE pg_current_snapshot()::text END AS next,
  EXISTS (SELECT ${FRESH}) AS is_fresh,
  coalesce(up_to < pg_snapshot_xmin(pg_current_snapshot())::text::numeric, false) AS is_partial
FROM (SELECT (SELECT c.xid::text::numeric ${FRESH} ORDER BY c.xid OFFSET ${MAX_CHANGES} LIMIT 1) AS up_to) AS bound`;

/** SQL: the minute of an instant. */
const minute = (at: string) => `date_bin('1 minute', ${at}, '2000-01-01Z')`;

/**
 * SQL: joins the rows of the log that a list in a change names. All of a list in one scan of their part of the index:
 * each looked up by itself, they are half of what counting costs.
 */
const rowsOf = (list: string, table: string) => `
  LATERAL (SELECT array_agg(id ORDER BY id) AS ids FROM unnest(${list}) AS id) AS named
  JOIN ${table} AS logged ON logged.id = ANY(named.ids) AND ${inIdRange("named.ids", "logged.id")}`;

// Each thing is counted where the log shows it: an event when it was received, an attempt when it began, and what became
// of a delivery when that was written. Each table by itself comes down to a few rows before they are put together.
const COUNT = `
WITH fresh AS MATERIALIZED (SELECT c.* ${FRESH} AND pg_visible_in_snapshot(c.xid, $1::pg_snapshot)),
moves AS MATERIALIZED (
  SELECT ${minute("fresh.at")} AS minute, target_id, source_id, event_type, ${minute("created_at")} AS since, kind, to_waiting,
    count(*) AS count
  FROM fresh, LATERAL (
    VALUES ('created', 1, created_ids), ('succeeded', -1, succeeded_ids), ('exhausted', -1, exhausted_ids),
      ('cancelled', -1, cancelled_ids), ('retried', 0, retried_ids), ('retried', 1, reopened_ids)
  ) AS of (kind, to_waiting, list), ${rowsOf("of.list", "deliveries")}
  GROUP BY 1, 2, 3, 4, 5, 6, 7
),
waiting AS (
  INSERT INTO stats_waiting AS w (target_id, since, waiting)
  SELECT target_id, since, sum(count * to_waiting) FROM moves GROUP BY 1, 2 HAVING sum(count * to_waiting) <> 0
  ON CONFLICT (target_id, since) DO UPDATE SET waiting = w.waiting + excluded.waiting
),
facts (minute, target_id, source_id, event_type, kind, bucket, count) AS (
  SELECT ${minute("received_at")}, NULL::uuid, source_id, type, 'event', NULL::integer, count(*)
  FROM fresh, ${rowsOf("event_ids", "events")} GROUP BY 1, 3, 4
  UNION ALL
  SELECT minute, target_id, source_id, event_type, kind, NULL, count FROM moves
  UNION ALL
  SELECT ${minute("started_at")}, target_id, source_id, event_type,
    CASE WHEN status_code BETWEEN 200 AND 299 AND error IS NULL THEN 'success' ELSE 'failure' END,
    cardinality($2::float8[]) - width_bucket(-duration_ms, $2), count(*)
  FROM fresh, ${rowsOf("attempt_ids", "attempts")}
  -- Null where the delivery was gone already.
  WHERE target_id IS NOT NULL GROUP BY 1, 2, 3, 4, 5, 6
),
summed AS (
  SELECT minute, target_id, source_id, event_type,
    ${["event", "created", "succeeded", "exhausted", "cancelled", "retried", "success", "failure"]
      .map((kind) => `coalesce(sum(count) FILTER (WHERE kind = '${kind}'), 0) AS ${kind}`)
      .join(", ")},
    array_agg(bucket) FILTER (WHERE bucket IS NOT NULL) AS buckets,
    array_agg(count) FILTER (WHERE bucket IS NOT NULL) AS counts
  FROM facts GROUP BY 1, 2, 3, 4
),
minutes AS MATERIALIZED (
  SELECT *, CASE WHEN buckets IS NOT NULL THEN ARRAY(
    SELECT (SELECT coalesce(sum(count), 0) FROM unnest(buckets, counts) AS h (bucket, count) WHERE bucket <= bound)::integer
    FROM generate_series(0, cardinality($2) - 1) AS bound ORDER BY bound
  ) END AS latency FROM summed
)
INSERT INTO stats AS s (resolution, cut, start, target_id, source_id, event_type, events, deliveries, succeeded,
  exhausted, cancelled, retried, attempts_succeeded, attempts_failed, latency)
SELECT resolution, grouping(target_id, source_id, event_type), date_trunc(resolution, minute, 'UTC'), target_id, source_id,
  event_type, sum(event), sum(created), sum(succeeded), sum(exhausted), sum(cancelled), sum(retried), sum(success), sum(failure),
  sum_counts(latency)
FROM minutes, unnest(ARRAY['minute', 'hour', 'day']) AS resolution
GROUP BY resolution, date_trunc(resolution, minute, 'UTC'), GROUPING SETS (
  (target_id), (source_id), (event_type), (target_id, source_id), (source_id, event_type), (target_id, source_id, event_type))
ON CONFLICT (resolution, cut, start, target_id, source_id, event_type) DO UPDATE SET
  events = s.events + excluded.events,
  deliveries = s.deliveries + excluded.deliveries,
  succeeded = s.succeeded + excluded.succeeded,
  exhausted = s.exhausted + excluded.exhausted,
  cancelled = s.cancelled + excluded.cancelled,
  retried = s.retried + excluded.retried,
  attempts_succeeded = s.attempts_succeeded + excluded.attempts_succeeded,
  attempts_failed = s.attempts_failed + excluded.attempts_failed,
  latency = coalesce(add_counts(s.latency, excluded.latency), s.latency, excluded.latency)`;

/**
 * The bounds of the histogram from the last to the first, negated, as `width_bucket` searches: it counts those that are
 * not above a value, and of a duration we want those that are not below it.
 */
const NEGATED_BOUNDS_MS = LATENCY_BOUNDS_MS.map((bound) => -bound).toReversed();

/** What has a name is planned once for each connection: over a month of partitions that costs more than to run it. */
type CountStatement = <Row extends object>(text: string, values?: unknown[], name?: string) => Promise<Row[]>;

/** @returns whether there is more to count, which another run does; undefined while another worker counts. */
export async function countChanges(db: Database): Promise<{ hasMore: boolean } | undefined> {
  return underLock(db, count);
}

/**
 * Counts what waits anew. The figures go forward by differences, and what somebody changed by hand in the database makes
 * none; this is what they are held against.
 */
export async function recountWaiting(db: Database): Promise<void> {
  await underLock(db, async (query) => {
    // While changes are uncounted, they would be counted twice.
    if ((await count(query)).hasMore) return;
    await query("DELETE FROM stats_waiting");
    await query(`INSERT INTO stats_waiting (target_id, since, waiting)
      SELECT target_id, ${minute("created_at")}, count(*) FROM deliveries
      WHERE next_attempt_at IS NOT NULL GROUP BY 1, 2`);
  });
}

async function count(query: CountStatement): Promise<{ hasMore: boolean }> {
  const [found] = await query<{ next: string; is_fresh: boolean; is_partial: boolean }>(NEXT);
  if (found === undefined || !found.is_fresh) return { hasMore: false };
  await query(COUNT, [found.next, NEGATED_BOUNDS_MS], "count");
  await query("DELETE FROM stats_waiting WHERE waiting = 0");
  await query("UPDATE stats_position SET counted = $1", [found.next]);
  return { hasMore: found.is_partial };
}

/** Forgets the figures before an instant, the minutes of some days ago, and changes that nobody comes back for. */
export async function pruneStats(db: Database, beforeMs: number): Promise<void> {
  await db.pool.query(
    `DELETE FROM stats WHERE start < CASE resolution
       WHEN 'minute' THEN now() - interval '${MINUTES_DAYS} days' ELSE to_timestamp($1::float8 / 1000) END`,
    [beforeMs],
  );
  for (;;) {
    const { rowCount } = await db.pool.query(
      `DELETE FROM changes WHERE (xid, id) IN (SELECT xid, id FROM changes ORDER BY xid, id LIMIT ${PRUNE_BATCH})
         AND at < now() - interval '${CHANGES_HOURS} hours'
         AND pg_visible_in_snapshot(xid, (SELECT counted FROM stats_position))`,
    );
    if ((rowCount ?? 0) < PRUNE_BATCH) return;
  }
}

/**
 * Runs work whose statements all see one snapshot, which is the one that is stored. Another run that committed in between
 * makes PostgreSQL refuse this one, which then counted nothing.
 */
async function underLock<T>(db: Database, work: (query: CountStatement) => Promise<T>): Promise<T | undefined> {
  const client = await db.pool.connect();
  const query: CountStatement = async <Row extends object>(text: string, values: unknown[] = [], name?: string) =>
    (await client.query<Row>({ text, values, ...(name !== undefined && { name }) })).rows;
  let failure: unknown;
  try {
    await query("BEGIN ISOLATION LEVEL REPEATABLE READ");
    const locked = await query("SELECT WHERE pg_try_advisory_xact_lock($1)", [LOCK_KEY]);
    if (locked.length === 0) {
      await query("ROLLBACK");
      return undefined;
    }
    const result = await work(query);
    await query("COMMIT");
    return result;
  } catch (error) {
    failure = error;
    if (hasSqlState(error, SERIALIZATION_FAILURE)) return undefined;
    throw error;
  } finally {
    // A connection that failed is closed: it may still be busy.
    client.release(failure !== undefined);
  }
}
