// Counts the rows of the journal into the figures. A run counts what was committed after the snapshot that the last run
// stored, and stores its own snapshot together with the figures, in one transaction. So every change is counted exactly
// once, whatever crashes and however many workers run it. No other statement of the relay waits for a run.

import { type Database, withClient } from "../connection/database.ts";
import { hasSqlState } from "../connection/postgres-errors.ts";
import { pruneBatches } from "../connection/prune-batches.ts";
import { RELAY_SOURCE_ID } from "../delivery/relay-sources.ts";
import { inIdRange } from "../log/id-range.ts";
import type { DeliveryStatus } from "../schema.ts";
import { LATENCY_BOUNDS_MS } from "./latency.ts";

/** "stat" in ASCII. */
const LOCK_KEY = 0x7374_6174;
/** PostgreSQL raises this when another run committed after this run took its snapshot. */
const SERIALIZATION_FAILURE = "40001";
/** How long the journal is kept for clients of the live tail that come back. */
const CHANGES_HOURS = 24;
export const MINUTES_DAYS = 2;
const PRUNE_BATCH = 5_000;

/**
 * The most rows of the journal in one run: seconds of work. A backlog of hours at once would exceed the query timeout.
 */
const MAX_CHANGES = 1_000;

// MUST stay subqueries: the planner uses the index when it compares with a constant, and a join would read all changes
// of the day.
const FRESH = `FROM changes c
WHERE c.xid >= (SELECT pg_snapshot_xmin(counted) FROM stats_position)
  AND NOT pg_visible_in_snapshot(c.xid, (SELECT counted FROM stats_position))`;

// The snapshot up to which this run counts: everything that is committed. When that is more than MAX_CHANGES rows, it
// is everything up to one transaction that is older than all transactions that still run, so that no change can appear
// before it later.
const NEXT_SNAPSHOT = `
SELECT CASE WHEN up_to < pg_snapshot_xmin(pg_current_snapshot())::text::numeric
    THEN format('%s:%s:', up_to + 1, up_to + 1) ELSE pg_current_snapshot()::text END AS next,
  EXISTS (SELECT ${FRESH}) AS is_fresh,
  coalesce(up_to < pg_snapshot_xmin(pg_current_snapshot())::text::numeric, false) AS is_partial,
  (SELECT pg_snapshot_xmax(counted) > pg_snapshot_xmax(pg_current_snapshot()) OR coalesce(cluster <> cluster_number(), false)
   FROM stats_position) AS is_foreign
FROM (SELECT (SELECT c.xid::text::numeric ${FRESH} ORDER BY c.xid OFFSET ${MAX_CHANGES} LIMIT 1) AS up_to) AS bound`;

/** SQL: the minute in which an instant is. */
const minuteOf = (at: string) => `date_bin('1 minute', ${at}, '2000-01-01Z')`;

/**
 * SQL: joins the rows of the log whose ids stand in a list of the journal. One scan of a part of the index reads all
 * rows of a list. Looked up one by one, the rows would take half of the time of counting.
 */
const rowsOf = (list: string, table: string) => `
  LATERAL (SELECT array_agg(id ORDER BY id) AS ids FROM unnest(${list}) AS id) AS named
  JOIN ${table} AS logged ON logged.id = ANY(named.ids) AND ${inIdRange("named.ids", "logged.id")}`;

// Each figure counts in the minute that the log shows: an event when it was received, an attempt when it began, and a
// change of a delivery when it was written. The statement groups each table to a few rows before it joins them.
const COUNT_FRESH = `
WITH fresh AS MATERIALIZED (SELECT c.* ${FRESH} AND pg_visible_in_snapshot(c.xid, $1::pg_snapshot)),
moves AS MATERIALIZED (
  SELECT ${minuteOf("fresh.at")} AS minute, target_id, source_id, event_type, ${minuteOf("created_at")} AS since, kind,
    to_waiting, count(*) AS count
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
  SELECT ${minuteOf("received_at")}, NULL::uuid, source_id, type, 'event', NULL::integer, count(*)
  FROM fresh, ${rowsOf("event_ids", "events")} GROUP BY 1, 3, 4
  UNION ALL
  SELECT minute, target_id, source_id, event_type, kind, NULL, count FROM moves
  UNION ALL
  SELECT ${minuteOf("started_at")}, target_id, source_id, event_type,
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
),
counted AS (
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
    latency = coalesce(add_counts(s.latency, excluded.latency), s.latency, excluded.latency)
)
SELECT target_id AS "targetId", kind AS result, sum(count)::integer AS count
FROM moves WHERE to_waiting = -1 AND source_id <> '${RELAY_SOURCE_ID}' GROUP BY 1, 2`;

/** SQL: the age in seconds of the oldest change that is in no figure yet. */
const LAG = `SELECT coalesce((SELECT extract(epoch FROM now() - c.at)::float8 ${FRESH} ORDER BY c.xid, c.id LIMIT 1), 0) AS lag`;

/**
 * The bounds of the histogram, negated and in ascending order, for `width_bucket`. That function counts the bounds that
 * are at most the value; a duration needs the bounds that are at least the value.
 */
const NEGATED_BOUNDS_MS = LATENCY_BOUNDS_MS.map((bound) => -bound).toReversed();

// After a dump was restored into another cluster, the numbers of its transactions mean nothing there. A row of the
// journal was counted exactly when the position sees it and the row is no younger than the position: what was written
// since the restore is younger, whatever its number is. The rows that were not counted get the number of this
// transaction, which the new position does not see yet.
const RENUMBER_UNCOUNTED = `
UPDATE changes SET xid = pg_current_xact_id()
WHERE NOT pg_visible_in_snapshot(xid, (SELECT counted FROM stats_position)) OR at > (SELECT counted_at FROM stats_position)`;
/** These rows were counted, and their numbers belong to transactions that are still to come. */
const DELETE_AHEAD = `
DELETE FROM changes WHERE NOT pg_visible_in_snapshot(xid, pg_current_snapshot()) AND xid <> pg_current_xact_id()`;
const RESET_POSITION = "UPDATE stats_position SET counted = pg_current_snapshot()";

/**
 * Runs a statement. One with a name is planned once for each connection: to plan over a month of partitions costs more
 * than to run.
 */
type RunStatement = <Row extends object>(text: string, values?: unknown[], name?: string) => Promise<Row[]>;

/** How many deliveries of a target were finished, and how. Without tests of targets, whose end says little. */
export interface FinishedDeliveries {
  targetId: string;
  result: Exclude<DeliveryStatus, "pending">;
  count: number;
}

export interface CountRun {
  /** What this run counted as finished, for the metrics of the worker that made it. */
  finished: FinishedDeliveries[];
  /** Whether there is more to count for another run. */
  hasMore: boolean;
  /** Whether the position was of another cluster. It was replaced, and the next run goes on counting. */
  wasForeign: boolean;
}

/** Makes one run. @returns undefined while another worker counts. */
export async function countChanges(db: Database): Promise<CountRun | undefined> {
  return runUnderLock(db, async (query) => {
    const run = await countOnce(query);
    if (!run.wasForeign) return run;
    for (const statement of [RENUMBER_UNCOUNTED, DELETE_AHEAD, RESET_POSITION]) await query(statement);
    return { ...run, hasMore: true };
  });
}

/**
 * Counts all pending deliveries again. The runs only add differences, and a change that somebody makes by hand in the
 * database is in no journal, so that the figures would stay wrong.
 * @returns what it counted as finished on the way.
 */
export async function recountWaiting(db: Database): Promise<readonly FinishedDeliveries[]> {
  const counted = await runUnderLock(db, async (query) => {
    // A change that is not counted yet would be counted here and again by the next run.
    const { finished, hasMore } = await countOnce(query);
    if (hasMore) return finished;
    await query("DELETE FROM stats_waiting");
    await query(`INSERT INTO stats_waiting (target_id, since, waiting)
      SELECT target_id, ${minuteOf("created_at")}, count(*) FROM deliveries
      WHERE next_attempt_at IS NOT NULL GROUP BY 1, 2`);
    return finished;
  });
  return counted ?? [];
}

/** Counts nothing while the position is of another cluster. */
async function countOnce(query: RunStatement): Promise<CountRun> {
  const [found] = await query<{ next: string; is_fresh: boolean; is_partial: boolean; is_foreign: boolean }>(
    NEXT_SNAPSHOT,
  );
  if (found?.is_foreign === true) return { finished: [], hasMore: true, wasForeign: true };
  if (found === undefined || !found.is_fresh) return { finished: [], hasMore: false, wasForeign: false };
  const finished = await query<FinishedDeliveries>(COUNT_FRESH, [found.next, NEGATED_BOUNDS_MS], "count");
  await query("DELETE FROM stats_waiting WHERE waiting = 0");
  await query("UPDATE stats_position SET counted = $1", [found.next]);
  return { finished, hasMore: found.is_partial, wasForeign: false };
}

/** @returns how far the figures are behind, in seconds; 0 when every change is counted. */
export async function readStatsLag(db: Database): Promise<number> {
  const { rows } = await db.pool.query<{ lag: number }>({ name: "stats-lag", text: LAG });
  return Math.max(0, rows[0]?.lag ?? 0);
}

/**
 * Deletes figures before an instant, minutes that are older than MINUTES_DAYS, and journal rows that nobody reads
 * again.
 */
export async function pruneStats(db: Database, beforeMs: number): Promise<void> {
  await pruneBatches(
    db,
    "stats",
    `start < CASE resolution
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
 * Runs work in a transaction whose statements all see one snapshot, the one that the run stores. When another run has
 * committed in between, PostgreSQL refuses this run, which then counts nothing.
 * @returns undefined when another worker counts.
 */
async function runUnderLock<T>(db: Database, work: (query: RunStatement) => Promise<T>): Promise<T | undefined> {
  try {
    return await withClient(db, async (client) => {
      const query: RunStatement = async <Row extends object>(text: string, values: unknown[] = [], name?: string) =>
        (await client.query<Row>({ text, values, ...(name !== undefined && { name }) })).rows;
      await query("BEGIN ISOLATION LEVEL REPEATABLE READ");
      const locked = await query("SELECT WHERE pg_try_advisory_xact_lock($1)", [LOCK_KEY]);
      if (locked.length === 0) {
        await query("ROLLBACK");
        return undefined;
      }
      const result = await work(query);
      await query("COMMIT");
      return result;
    });
  } catch (error) {
    if (hasSqlState(error, SERIALIZATION_FAILURE)) return undefined;
    throw error;
  }
}
