// What waited, as a sample of each minute shows it: /v1/stats says what waits now, and keeps no past. A sample is one statement.
// The row for all other targets is written first, and decides between workers that look at the same moment.

import type { Database } from "../connection/database.ts";
import { pruneBatches } from "../connection/prune-batches.ts";
import type { Resolution } from "../schema.ts";
import { MINUTES_DAYS } from "./stats-count.ts";

/** The targets of a sample that have rows of their own, those with most deliveries: a month has at most 40,000 rows by the hour. */
export const MAX_SAMPLED_TARGETS = 50;

const IS_SAMPLED = `
SELECT FROM waiting_samples WHERE resolution = 'minute' AND start = date_trunc('minute', now(), 'UTC') AND target_id IS NULL`;

const SAMPLE = `
WITH waiting AS MATERIALIZED (
  SELECT target_id, sum(waiting) AS waiting,
    coalesce(greatest(extract(epoch FROM now() - min(since) FILTER (WHERE waiting > 0)), 0), 0)::integer AS oldest,
    row_number() OVER (ORDER BY sum(waiting) DESC, target_id) AS rank
  FROM stats_waiting GROUP BY target_id HAVING sum(waiting) > 0
),
others AS MATERIALIZED (
  SELECT coalesce(sum(waiting), 0) AS waiting, coalesce(max(oldest), 0) AS oldest FROM waiting WHERE rank > ${MAX_SAMPLED_TARGETS}
),
turn AS (
  INSERT INTO waiting_samples (resolution, start, target_id, samples, waiting, oldest_seconds)
  SELECT 'minute', date_trunc('minute', now(), 'UTC'), NULL, 1, waiting, oldest FROM others
  ON CONFLICT (resolution, start, target_id) DO NOTHING RETURNING start
)
INSERT INTO waiting_samples AS s (resolution, start, target_id, samples, waiting, oldest_seconds)
SELECT resolution, date_trunc(resolution, turn.start, 'UTC'), target_id, 1, waiting, oldest
FROM turn, unnest(ARRAY['minute', 'hour', 'day']) AS resolution, (
  SELECT target_id, waiting, oldest FROM waiting WHERE rank <= ${MAX_SAMPLED_TARGETS}
  UNION ALL
  SELECT NULL, waiting, oldest FROM others
) AS sampled
WHERE NOT (resolution = 'minute' AND target_id IS NULL)
ON CONFLICT (resolution, start, target_id) DO UPDATE SET samples = s.samples + 1, waiting = s.waiting + excluded.waiting,
  oldest_seconds = greatest(s.oldest_seconds, excluded.oldest_seconds)`;

/** Takes the sample of this minute, unless it is taken. */
export async function sampleWaiting(db: Database): Promise<void> {
  const { rowCount } = await db.pool.query({ name: "is-waiting-sampled", text: IS_SAMPLED });
  if (rowCount === 0) await db.pool.query({ name: "sample-waiting", text: SAMPLE });
}

export interface SampledRange {
  resolution: Resolution;
  /** Rows of the resolution are put together to intervals of so many milliseconds. */
  lengthMs: number;
  sinceMs: number;
  untilMs: number;
  /** The target that has rows of its own; the busiest ones when undefined. */
  targetId?: string | undefined;
  /** How many targets have rows of their own. */
  targets: number;
}

export interface SampledWaiting {
  startMs: number;
  /** Null for all other targets together. Each interval with a sample has this row. */
  targetId: string | null;
  /** Pending deliveries, on average over the samples of the interval. */
  waiting: number;
  /** The highest age of a pending delivery in any of the samples. */
  oldestSeconds: number;
}

/** @returns the rows in the order of intervals and targets. */
export async function readSampledWaiting(
  db: Database,
  { resolution, lengthMs, sinceMs, untilMs, targetId, targets }: SampledRange,
): Promise<SampledWaiting[]> {
  const { rows } = await db.pool.query<{ start: string; target_id: string | null; waiting: number; oldest: number }>(
    `WITH sampled AS MATERIALIZED (
       SELECT date_bin($4::float8 * interval '1 ms', start, '2000-01-01Z') AS start, target_id, sum(samples) AS samples,
         sum(waiting) AS waiting, max(oldest_seconds) AS oldest
       FROM waiting_samples
       WHERE resolution = $1 AND start >= to_timestamp($2::float8 / 1000) AND start < to_timestamp($3::float8 / 1000)
       GROUP BY 1, 2
     ),
     top AS (
       SELECT target_id FROM sampled WHERE target_id IS NOT NULL AND ($5::uuid IS NULL OR target_id = $5)
       GROUP BY 1 ORDER BY sum(waiting) DESC, target_id LIMIT $6
     )
     SELECT extract(epoch FROM sampled.start)::bigint AS start, top.target_id, sum(sampled.waiting)::float8 / taken.samples AS waiting,
       max(sampled.oldest) AS oldest
     FROM sampled LEFT JOIN top USING (target_id)
       JOIN (SELECT start, samples FROM sampled WHERE target_id IS NULL) AS taken ON taken.start = sampled.start
     GROUP BY sampled.start, top.target_id, taken.samples ORDER BY sampled.start, top.target_id`,
    [resolution, sinceMs, untilMs, lengthMs, targetId ?? null, targets],
  );
  return rows.map((row) => ({
    startMs: Number(row.start) * 1000,
    targetId: row.target_id,
    waiting: row.waiting,
    oldestSeconds: row.oldest,
  }));
}

/** Deletes samples before an instant, and minutes that are older than those of the figures. */
export async function pruneWaitingSamples(db: Database, beforeMs: number): Promise<number> {
  return pruneBatches(
    db,
    "waiting_samples",
    `start < CASE resolution
       WHEN 'minute' THEN now() - interval '${MINUTES_DAYS} days' ELSE to_timestamp($1::float8 / 1000) END`,
    [beforeMs],
  );
}
