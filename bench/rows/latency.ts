// latency: the time until an event reaches its target, and until its sender gets the answer, at a fixed rate.

import { withRelay } from "../flow.ts";
import { percentile } from "../machine.ts";
import { type Figure, type Row, withYardstick } from "../row.ts";

const PER_SECOND = 500;

export const latency: Row = {
  name: "latency",
  about: `at ${PER_SECOND} events/s, from when an event is due to be sent: to its target, and to its acknowledgement`,
  run: async (bench) =>
    withRelay(bench, {}, async ({ gateways }) => {
      const { generator, receiver, quick } = bench;
      bench.progress(`${PER_SECOND} events/s`);
      const urls = gateways.map(({ url }) => url);
      const load = { urls, bodyBytes: 200, pace: { kind: "open", perSecond: PER_SECOND } } as const;
      // `withRelay` saturates the relay. These events are not measured, because the effects of saturation last for a while.
      await generator.run({ ...load, until: { kind: "ms", ms: quick ? 300 : 5_000 } });
      const { measured, yardstick } = await withYardstick(bench, async () => {
        receiver.reset({ latencies: true });
        const { accepted, acknowledgedMs } = await generator.run({
          ...load,
          until: { kind: "ms", ms: quick ? 1_500 : 60_000 },
        });
        await receiver.waitFor(accepted);
        return { acknowledgedMs, latenciesMs: (await receiver.report()).latenciesMs };
      });
      const { acknowledgedMs, latenciesMs } = measured;
      return [
        // Latencies depend on the speed of the machine at this moment.
        { what: "no-op beside it", value: yardstick, unit: "requests/s" },
        ...figuresOf("delivered", latenciesMs, { p50: 8, p99: 40, "p99.9": 150 }),
        ...figuresOf("acknowledged", acknowledgedMs, { p50: 4, p99: 15 }),
      ];
    }),
};

function figuresOf(what: string, sorted: number[], aims: Record<string, number>): Figure[] {
  return Object.entries(aims).map(([name, atMost]) => ({
    what: `${what}, ${name}`,
    value: percentile(sorted, Number(name.slice(1)) / 100),
    unit: "ms",
    digits: 1,
    aim: { atMost },
  }));
}
