// SQL fills the figures of twenty targets and ten types over thirty days.

import type { Database } from "@sluice/store/connection/database";
import { LATENCY_BOUNDS_MS } from "@sluice/store/journal/latency";

const RESOLUTIONS = [
  ["day", "30 days"],
  ["hour", "30 days"],
  ["minute", "2 days"],
];
const BUCKETS = LATENCY_BOUNDS_MS.length;

/** Fills the tables as stats-count.ts would: days and hours of a month, minutes of two days, each in all cuts. */
export async function fillStats(db: Database): Promise<void> {
  const client = await db.pool.connect();
  const query = (text: string) => client.query(text);
  await query(`CREATE TEMP TABLE dimensions AS
    SELECT md5('t' || t)::uuid AS target_id, md5('s')::uuid AS source_id, 'type.' || e AS event_type
    FROM generate_series(1, 20) t, generate_series(1, 10) e`);
  for (const [resolution, span] of RESOLUTIONS) {
    await query(`INSERT INTO stats
      SELECT '${resolution}', cut, start, target_id, source_id, event_type, size, size, size, 0, 0, 0, size, 0,
        ARRAY(SELECT (size * least(n, 30) / 30)::integer FROM generate_series(1, ${BUCKETS}) n)
      FROM (
        SELECT grouping(target_id, source_id, event_type) AS cut, start, target_id, source_id, event_type, count(*) AS size
        FROM dimensions, generate_series(date_trunc('${resolution}', now(), 'UTC') - interval '${span}', now(),
          interval '1 ${resolution}') AS start
        GROUP BY start, GROUPING SETS ((target_id), (source_id), (event_type), (target_id, source_id),
          (source_id, event_type), (target_id, source_id, event_type))
      ) AS cuts`);
  }
  await query(`INSERT INTO stats_waiting SELECT md5('t' || t)::uuid, date_trunc('minute', now()) - m * interval '1 minute', 700
    FROM generate_series(1, 20) t, generate_series(0, 1439) m`);
  for (const [resolution, span] of RESOLUTIONS) {
    await query(`INSERT INTO waiting_samples
      SELECT '${resolution}', start, target_id, 1, 1000 * random(), 600 * random()
      FROM (SELECT DISTINCT target_id FROM dimensions UNION ALL SELECT NULL) t,
        generate_series(date_trunc('${resolution}', now(), 'UTC') - interval '${span}', now(), interval '1 ${resolution}') AS start`);
  }
  await query("VACUUM ANALYZE waiting_samples");
  await query("VACUUM ANALYZE stats");
  await query("VACUUM ANALYZE stats_waiting");
  client.release();
}
