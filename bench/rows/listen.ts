// listen: how much later a service behind `sluice listen` has an event than a target that the relay calls.

import { startReceiver } from "../children.ts";
import { withRelay } from "../flow.ts";
import { percentile } from "../machine.ts";
import type { Row } from "../row.ts";

const PER_SECOND = 50;

export const listen: Row = {
  name: "listen",
  about: `at ${PER_SECOND} events/s, the time until a service behind \`sluice listen\` has an event`,
  run: async (bench) =>
    withRelay(bench, { isCold: true }, async ({ rig, gateways }) => {
      const { generator, receiver, quick } = bench;
      // A process of its own, so that the arrivals are apart.
      const local = await startReceiver();
      const listener = await rig.startListener(local.url);
      const load = {
        urls: gateways.map(({ url }) => url),
        bodyBytes: 200,
        pace: { kind: "open", perSecond: PER_SECOND },
      } as const;
      bench.progress(`${PER_SECOND} events/s to a target and to a listener`);
      const warmUp = await generator.run({ ...load, until: { kind: "ms", ms: quick ? 300 : 10_000 } });
      await local.waitFor(warmUp.accepted);
      for (const each of [receiver, local]) each.reset({ latencies: true });
      const { accepted } = await generator.run({ ...load, until: { kind: "ms", ms: quick ? 1_000 : 40_000 } });
      await receiver.waitFor(accepted);
      await local.waitFor(accepted);
      const called = (await receiver.report()).latenciesMs;
      const heard = (await local.report()).latenciesMs;
      await listener.stop();
      return [
        { what: "called, p50", value: percentile(called, 0.5), unit: "ms", digits: 1 },
        {
          what: "heard, p50, to called",
          value: percentile(heard, 0.5),
          unit: "ms",
          digits: 1,
          ratio: percentile(heard, 0.5) / percentile(called, 0.5),
          aim: { atMost: 2 },
        },
        {
          what: "heard, p99, to called",
          value: percentile(heard, 0.99),
          unit: "ms",
          digits: 1,
          ratio: percentile(heard, 0.99) / percentile(called, 0.99),
        },
      ];
    }),
};
