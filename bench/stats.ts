// Measures how long a question to /v1/stats takes. SQL fills the figures of twenty targets and ten types over thirty days,
// and twenty million waiting deliveries.

import type { Resolution } from "@sluice/store/schema";
import { openDatabase } from "@sluice/store/connection/database";
import { migrate } from "@sluice/store/connection/migrate";
import { readStats, readWaiting, type StatsQuery } from "@sluice/store/journal/stats";

import { fillStats } from "./fill-stats.ts";
import { describeMachine, format, median } from "./machine.ts";
import { openPostgres } from "./own-postgres.ts";

const ROUNDS = 30;
const DAY_MS = 86_400_000;
const LENGTHS: Record<Resolution, number> = { minute: 60_000, hour: 3_600_000, day: DAY_MS };

const postgres = await openPostgres();
const db = openDatabase({
  url: postgres.url,
  applicationName: "sluice-bench",
  maxConnections: 1,
  onError: (error) => console.error(error),
});
try {
  await migrate(postgres.url);
  await fillStats(db);
  await report();
} finally {
  await db.close();
  await postgres.stop();
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
