// log: how much a log of ten million deliveries slows down the relay, and how long questions to this log take.

import { join } from "node:path";

import type { Database } from "@sluice/store/connection/database";

import { fillLog } from "../fill-log.ts";
import { withRelay } from "../flow.ts";
import { measureQuestions, openLogDatabase, readOldest } from "../log-questions.ts";
import { format, percentile } from "../machine.ts";
import { openRig, type Rig } from "../rig.ts";
import { type Bench, type Figure, inTurnsWith, type Row } from "../row.ts";

const DAYS = 30;
const TURNS = 11;
/** Settings of both PostgreSQL servers. Filling one of them writes gigabytes. */
const SETTINGS = { max_wal_size: "8GB" };

/** The filled PostgreSQL is kept here for later runs, because filling one takes longer than all other rows. */
const KEPT = process.env["BENCH_LOG_DIR"];

export const log: Row = {
  name: "log",
  about: "end to end with ten million deliveries in the log, compared to an empty log; and each filter of each list",
  run: async (bench) => {
    const { rig, database, startMs } = await openFilledLog(bench);
    try {
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

/** Opens a rig with a full log, before any app of it runs: nothing makes partitions then, or removes the oldest ones. */
export async function openFilledLog(bench: Bench): Promise<{ rig: Rig; database: Database; startMs: number }> {
  const deliveries = bench.quick ? 5_000 : Number(process.env["BENCH_LOG_DELIVERIES"] ?? 10_000_000);
  const postgresDirectory = bench.quick || KEPT === undefined ? {} : { postgresDirectory: join(KEPT, "postgres") };
  const rig = await openRig({ queue: "redis", ...postgresDirectory, settings: SETTINGS });
  const database = openLogDatabase(rig.databaseUrl);
  const days = bench.quick ? 2 : DAYS;
  bench.progress(`a log of ${format(deliveries)} deliveries over ${days} days`);
  await forgetRuns(rig);
  return { rig, database, startMs: (await readOldest(database)) ?? (await fillLog(database, deliveries, days)) };
}

/**
 * Removes the events and targets of earlier runs from a log that is kept. The receivers of these targets are gone, and each
 * event of this run would get one more delivery per target.
 */
async function forgetRuns({ query }: Rig): Promise<void> {
  if ((await query("SELECT FROM targets LIMIT 1")).length === 0) return;
  for (const table of ["attempts", "deliveries", "events", "event_keys"]) {
    // The events that filled the log belong to sources that do not exist, so they stay.
    await query(`DELETE FROM ${table} WHERE source_id IN (SELECT id FROM sources)`);
    await query(`VACUUM ANALYZE ${table}`);
  }
  // The targets go last, because their rows are the sign of an earlier run.
  await query("DELETE FROM targets");
}

/** Compares two relays. Only one of them works at a time. */
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
