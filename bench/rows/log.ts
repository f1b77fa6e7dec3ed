// log growth and log query: what a log of ten million deliveries costs the relay, and whoever asks it.

import { join } from "node:path";

import { openDatabase, SEARCH_PLANS } from "@sluice/store/connection/database";

import { fillLog } from "../fill-log.ts";
import { withRelay } from "../flow.ts";
import { measureQuestions, readOldest } from "../log-questions.ts";
import { format, percentile } from "../machine.ts";
import { openRig, type Rig } from "../rig.ts";
import { type Bench, type Figure, inTurnsWith, type Row } from "../row.ts";

const DAYS = 30;
const TURNS = 11;
/** Of both PostgreSQLs: filling one writes gigabytes. */
const SETTINGS = { max_wal_size: "8GB" };

/** A directory of PostgreSQL that is filled once and kept: filling one takes longer than all other rows. */
const KEPT = process.env["BENCH_LOG_DIR"];

export const log: Row = {
  name: "log",
  about: "end to end beside ten million deliveries in the log, to an empty log; and each filter of each list then",
  run: async (bench) => {
    const deliveries = bench.quick ? 5_000 : Number(process.env["BENCH_LOG_DELIVERIES"] ?? 10_000_000);
    const postgresDirectory = bench.quick || KEPT === undefined ? {} : { postgresDirectory: join(KEPT, "postgres") };
    // Migrated, and no relay beside it that would make partitions or forget the oldest.
    const rig = await openRig({ queue: "redis", ...postgresDirectory, settings: SETTINGS });
    const database = openDatabase({
      url: rig.databaseUrl,
      applicationName: "sluice-bench",
      maxConnections: 4,
      settings: SEARCH_PLANS,
      onError: (error) => console.error(error.message),
    });
    try {
      const days = bench.quick ? 2 : DAYS;
      bench.progress(`a log of ${format(deliveries)} deliveries over ${days} days`);
      await forgetRuns(rig);
      const startMs = (await readOldest(database)) ?? (await fillLog(database, deliveries, days));
      bench.progress("each filter of each list");
      const questions = await measureQuestions(database, startMs, { pairs: false, rounds: bench.quick ? 1 : 9 });
      const figures: Figure[] = Object.entries(Object.groupBy(questions, ({ list }) => list)).flatMap(
        ([list, some]) => {
          const times = (some ?? []).flatMap(({ timesMs }) => timesMs).toSorted((a, b) => a - b);
          const ms = { unit: "ms", digits: 1 };
          return [
            { what: `${list}, median`, value: percentile(times, 0.5), ...ms },
            { what: `${list}, p95`, value: percentile(times, 0.95), ...ms, aim: { atMost: 25 } },
          ];
        },
      );
      return [await measureGrowth(bench, rig), ...figures];
    } finally {
      await database.close();
      await rig.close();
    }
  },
};

/**
 * Takes out of a log that is kept what an earlier run had the relay put into it: with its targets, which nobody answers
 * for any more, each event would be more deliveries with each run.
 */
async function forgetRuns({ query }: Rig): Promise<void> {
  if ((await query("SELECT FROM targets LIMIT 1")).length === 0) return;
  for (const table of ["attempts", "deliveries", "events", "event_keys"]) {
    // What the log is filled with is of sources that do not exist.
    await query(`DELETE FROM ${table} WHERE source_id IN (SELECT id FROM sources)`);
    await query(`VACUUM ANALYZE ${table}`);
  }
  // Last, for by them an earlier run is known.
  await query("DELETE FROM targets");
}

/** With two relays, of which one is idle. */
async function measureGrowth(bench: Bench, full: Rig): Promise<Figure> {
  const ms = bench.quick ? 1_000 : 4_000;
  return withRelay(bench, { rig: full }, (beside) =>
    withRelay(bench, { settings: SETTINGS }, async (empty) => {
      bench.progress("end to end, beside it and beside an empty log");
      const turns = bench.quick ? 1 : TURNS;
      const figure = await inTurnsWith(
        () => empty.flow(ms),
        turns,
        () => beside.flow(ms),
      );
      return { ...figure, what: "end to end, to an empty log", unit: "events/s", aim: { atLeast: 0.9 } };
    }),
  );
}
