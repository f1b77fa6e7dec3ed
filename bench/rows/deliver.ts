// Events that a saturated relay stores, delivers and logs: with one gateway and one worker, to five targets, with two
// gateways and two workers, and with PostgreSQL alone. One more row counts the SQL statements per event.

import { withRelay } from "../flow.ts";
import { holdToTenthOfCore } from "../hold.ts";
import { besideYardstick, type Row } from "../row.ts";

export const endToEnd: Row = {
  name: "end-to-end",
  about: "events/s stored, delivered and logged, with no growing backlog",
  run: async (bench) => {
    const measure = (bodyBytes: number, ms: number) =>
      withRelay(bench, {}, async ({ flow }) => {
        bench.progress(`end to end, ${bodyBytes} bytes`);
        return besideYardstick(bench, () => flow(bench.quick ? 1_000 : ms, bodyBytes));
      });
    return [
      { ...(await measure(200, 60_000)), what: "200 B", unit: "events/s", aim: { atLeast: 0.12 } },
      ...(bench.quick ? [] : [{ ...(await measure(10_000, 20_000)), what: "10 KB", unit: "events/s" }]),
    ];
  },
};

export const fanOut: Row = {
  name: "fan-out",
  about: "deliveries/s of events that five targets get",
  run: async (bench) =>
    withRelay(bench, { targets: 5 }, async ({ flow }) => {
      bench.progress("five targets");
      const figure = await besideYardstick(bench, async () => 5 * (await flow(bench.quick ? 1_000 : 20_000)));
      return [{ ...figure, what: "5 targets", unit: "deliveries/s", aim: { atLeast: 0.2 } }];
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
    withRelay(bench, { queue: "postgres" }, async ({ flow }) => {
      bench.progress("PostgreSQL alone");
      const figure = await besideYardstick(bench, () => flow(bench.quick ? 1_000 : 20_000));
      return [{ ...figure, what: "200 B", unit: "events/s", aim: { atLeast: 0.06 } }];
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
