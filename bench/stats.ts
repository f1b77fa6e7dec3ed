// Measures how long a question to /v1/stats takes. SQL fills the figures of twenty targets and ten types over thirty days,
// and twenty million waiting deliveries.

import type { Resolution } from "@sluice/store/schema";
import { openDatabase } from "@sluice/store/connection/database";
import { LATENCY_BOUNDS_MS } from "@sluice/store/journal/latency";
import { migrate } from "@sluice/store/connection/migrate";
import { readStats, readWaiting, type StatsQuery } from "@sluice/store/journal/stats";

import { describeMachine, format, median } from "./machine.ts";
import { openPostgres } from "./own-postgres.ts";

const ROUNDS = 30;
const DAY_MS = 86_400_000;
const LENGTHS: Record<Resolution, number> = { minute: 60_000, hour: 3_600_000, day: DAY_MS };
const BUCKETS = LATENCY_BOUNDS_MS.length;

const postgres = await openPostgres();
const db = openDatabase({
  url: postgres.url,
  applicationName: "sluice-bench",
  maxConnections: 1,
  onError: (error) => console.error(error),
});
try {
  await migrate(postgres.url);
  await fill();
  await report();
} finally {
  await db.close();
  await postgres.stop();
}

/** Fills the tables as stats-count.ts would: days and hours of a month, minutes of two days, each in all cuts. */
async function fill(): Promise<void> {
  const client = await db.pool.connect();
  const query = (text: string) => client.query(text);
  await query(`CREATE TEMP TABLE dimensions AS
    SELECT md5('t' || t)::uuid AS target_id, md5('s')::uuid AS source_id, 'type.' || e AS event_type
    FROM generate_series(1, 20) t, generate_series(1, 10) e`);
  for (const [resolution, span] of [
    ["day", "30 days"],
    ["hour", "30 days"],
    ["minute", "2 days"],
  ]) {
    await query(`INSERT INTO stats
      SELECT '${resolution}', cut, start, target_id, source_id, event_type, 0, size, size, 0, 0, 0, size, 0,
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
  await query("VACUUM ANALYZE stats");
  await query("VACUUM ANALYZE stats_waiting");
  client.release();
}

async function report(): Promise<void> {
  const { rows } = await db.pool.query<{ count: string; size: string; target: string }>(
    "SELECT count(*), pg_size_pretty(pg_total_relation_size('stats')) AS size, md5('t1')::uuid AS target FROM stats",
  );
  const target = rows[0]?.target;
  console.log(describeMachine());
  console.log(`${Number(rows[0]?.count).toLocaleString("en")} rows of figures, ${rows[0]?.size}\n`);
  console.log("| question | rows | fastest, ms | median, ms |\n| --- | ---: | ---: | ---: |");
  const ask =
    (groupBy: StatsQuery["groupBy"], resolution: Resolution, count: number, filter: Partial<StatsQuery> = {}) =>
    () =>
      readStats(db, {
        groupBy,
        resolution,
        sinceMs: Date.now() - count * LENGTHS[resolution],
        untilMs: Date.now(),
        ...filter,
      });
  await measure("by target, 24 hours", ask("target", "hour", 24));
  await measure("by type, 60 minutes", ask("event_type", "minute", 60));
  await measure("by target, 30 days", ask("target", "day", 30));
  await measure("by type of one target, 24 hours", ask("event_type", "hour", 24, { targetId: target }));
  await measure("by target of `type.*`, 24 hours", ask("target", "hour", 24, { eventType: "type.*" }));
  await measure("by target, 200 hours (the most)", ask("target", "hour", 200));
  await measure("by target of one type, 200 minutes", ask("target", "minute", 200, { eventType: "type.3" }));
  await measure("all together, 24 hours by ten minutes", ask("none", "minute", 1_440, { lengthMs: 600_000 }));
  await measure("by type, 24 hours by ten minutes", ask("event_type", "minute", 1_440, { lengthMs: 600_000 }));
  await measure("by target, 24 hours by ten minutes", ask("target", "minute", 1_440, { lengthMs: 600_000 }));
  await measure("all together, 30 days by six hours", ask("none", "hour", 720, { lengthMs: 21_600_000 }));
  await measure("what waits: 20 million deliveries of a day", () => readWaiting(db));
}

async function measure(name: string, ask: () => Promise<unknown[]>): Promise<void> {
  const times: number[] = [];
  let rows = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const startedMs = performance.now();
    rows = (await ask()).length;
    times.push(performance.now() - startedMs);
  }
  console.log(`| ${name} | ${format(rows)} | ${format(Math.min(...times), 1)} | ${format(median(times), 1)} |`);
}
