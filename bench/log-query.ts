// Measures how long a question to the log takes: `node bench/log-query.ts [deliveries] [days]` prints the tables of
// bench/README.md. Without DATABASE_URL, the script makes a PostgreSQL and removes it at the end.

import { migrate } from "@sluice/store/connection/migrate";

import { fillLog } from "./fill-log.ts";
import { type Answered, measureQuestions, openLogDatabase, readOldest } from "./log-questions.ts";
import { describeMachine, format, median, percentile, toMarkdown } from "./machine.ts";
import { openPostgres } from "./own-postgres.ts";

const ROUNDS = 9;

const deliveries = Number(process.argv[2] ?? 1_000_000);
const days = Number(process.argv[3] ?? 8);
const { url, stop } = await openPostgres();
try {
  await migrate(url);
  const db = openLogDatabase(url);
  try {
    const oldest = await readOldest(db);
    const startMs = oldest ?? (await fillLog(db, deliveries, days));
    print(await measureQuestions(db, startMs, { pairs: true, rounds: ROUNDS }));
  } finally {
    await db.close();
  }
} finally {
  await stop();
}

function print(answered: Answered[]): void {
  const figures = answered
    .map((one) => ({ ...one, medianMs: percentile(one.timesMs, 0.5), p95Ms: percentile(one.timesMs, 0.95) }))
    .toSorted((a, b) => b.medianMs - a.medianMs);
  console.log(`${format(deliveries)} deliveries over ${days} days; ${describeMachine()}, PostgreSQL 18\n`);
  const lists = Object.entries(Object.groupBy(figures, ({ list }) => list)).map(([list, own = []]) => [
    list,
    String(own.length),
    format(median(own.map(({ medianMs }) => medianMs)), 1),
    format(Math.max(...own.map(({ medianMs }) => medianMs)), 1),
    format(Math.max(...own.map(({ p95Ms }) => p95Ms)), 1),
    String(own.filter(({ endsEarly }) => endsEarly).length),
    String(own.filter(({ sequentialScans }) => sequentialScans > 0).length),
  ]);
  const head = ["questions", "median of medians, ms", "slowest median, ms", "slowest p95, ms", "end early"];
  console.log(toMarkdown(["list", ...head, "sequential scans"], lists));
  console.log();
  const slowest = figures
    .slice(0, 12)
    .map(({ list, question, medianMs, p95Ms, rows, endsEarly }) => [
      `${list}: ${question.replaceAll("*", String.raw`\*`)}`,
      format(medianMs, 1),
      format(p95Ms, 1),
      String(rows),
      endsEarly ? "yes" : "no",
    ]);
  console.log(toMarkdown(["the slowest questions", "median, ms", "p95, ms", "rows", "ends early"], slowest));
}
