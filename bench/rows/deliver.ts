// Events that a saturated relay stores, delivers and logs: with one gateway and one worker, to five targets, with two
// gateways and two workers, and with PostgreSQL alone. One more row counts the SQL statements per event.

import { type Running, withRelay } from "../flow.ts";
import { holdToTenthOfCore } from "../hold.ts";
import { partFigures, watchParts } from "../processor-time.ts";
import { type Bench, type Figure, type Row, withYardstick } from "../row.ts";

const FLOW_MS = 20_000;
/** The most that an event may cost at saturation, in requests of the no-op server. */
const MOST_UNITS = 5.5;

export const endToEnd: Row = {
  name: "end-to-end",
  about: "events/s stored, delivered and logged, with no growing backlog",
  run: async (bench) => {
    const measure = (bodyBytes: number, ms: number) =>
      withRelay(bench, {}, async (running) => {
        bench.progress(`end to end, ${bodyBytes} bytes`);
        return measureFlow(bench, running, ms, bodyBytes);
      });
    const { rate, parts } = await measure(200, 60_000);
    const figures: Figure[] = [
      { ...rate, what: "200 B", unit: "events/s", aim: { atLeast: 0.12 } },
      ...parts(MOST_UNITS),
    ];
    if (bench.quick) return figures;
    return [...figures, { ...(await measure(10_000, FLOW_MS)).rate, what: "10 KB", unit: "events/s" }];
  },
};

/** Measures the events per second that reach all their targets, and what one of them costs in each part of the relay. */
async function measureFlow(bench: Bench, running: Running, ms = FLOW_MS, bodyBytes = 200) {
  const duration = bench.quick ? 1_000 : ms;
  const { measured, yardstick, unitMs } = await withYardstick(bench, () =>
    watchParts(running, () => running.flow(duration, bodyBytes)),
  );
  const { result: value, partsMs } = measured;
  const events = (value * duration) / 1000;
  return {
    rate: { value, ratio: value / yardstick },
    parts: (mostUnits?: number) => partFigures(partsMs, events, unitMs, mostUnits),
  };
}

export const fanOut: Row = {
  name: "fan-out",
  about: "deliveries/s of events that five targets get",
  run: async (bench) =>
    withRelay(bench, { targets: 5 }, async (running) => {
      bench.progress("five targets");
      const { rate, parts } = await measureFlow(bench, running);
      const { value, ratio } = rate;
      const figure = { value: 5 * value, ratio: 5 * ratio };
      return [{ ...figure, what: "5 targets", unit: "deliveries/s", aim: { atLeast: 0.2 } }, ...parts()];
    }),
};

export const two: Row = {
  name: "two",
  about: "end to end with two gateways and two workers, compared to one of each; also with a tenth of a core for each",
  run: async (bench) => {
    const ms = bench.quick ? 1_000 : 20_000;
    const measure = (count: number) =>
      withRelay(bench, { gateways: count, workers: count }, async ({ gateways, workers, flow }) => {
        const free = await flow(ms);
        const release = holdToTenthOfCore([...gateways, ...workers]);
        return { free, held: await flow(ms).finally(release) };
      });
    const one = bench.quick ? undefined : await measure(1);
    bench.progress("two gateways, two workers");
    const both = await measure(2);
    return [
      { what: "200 B", value: both.free, unit: "events/s", ...(one && { ratio: both.free / one.free }) },
      {
        what: "a tenth of a core each",
        value: both.held,
        unit: "events/s",
        ...(one && { ratio: both.held / one.held, aim: { atLeast: 1 } }),
      },
    ];
  },
};

export const embedded: Row = {
  name: "embedded",
  about: "end to end on PostgreSQL alone, as `npm start` runs it",
  run: async (bench) =>
    withRelay(bench, { queue: "postgres" }, async (running) => {
      bench.progress("PostgreSQL alone");
      const { rate, parts } = await measureFlow(bench, running);
      return [{ ...rate, what: "200 B", unit: "events/s", aim: { atLeast: 0.06 } }, ...parts()];
    }),
};

export const statements: Row = {
  name: "statements",
  about: "SQL statements per event at saturation, in all sessions of the relay",
  run: async (bench) => {
    const settings = { shared_preload_libraries: "pg_stat_statements" };
    return withRelay(bench, { settings }, async ({ rig, flow }) => {
      await rig.query("CREATE EXTENSION pg_stat_statements");
      bench.progress("statements at saturation");
      await rig.query("SELECT pg_stat_statements_reset()");
      const ms = bench.quick ? 1_000 : 10_000;
      const perSecond = await flow(ms);
      const [row] = await rig.query("SELECT sum(calls)::float8 AS calls FROM pg_stat_statements WHERE toplevel");
      const events = (perSecond * ms) / 1000;
      const value = Number(row?.["calls"]) / events;
      return [{ what: "200 B", value, unit: "per event", digits: 3, aim: { atMost: 0.2 } }];
    });
  },
};
