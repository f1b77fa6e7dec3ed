// What an event costs, and how long it takes, at the rates that most relays have; and in a relay that has just started.

import { BARE_TABLE } from "../bare.ts";
import { startBare } from "../children.ts";
import { withRelay } from "../flow.ts";
import { percentile } from "../machine.ts";
import { partFigures, type Watched, watchParts } from "../processor-time.ts";
import { openRig, type RunningApp } from "../rig.ts";
import type { Bench, Figure, Row } from "../row.ts";

const WARM_UP_MS = 15_000;
const MEASURE_MS = 30_000;
const QUICK_MS = 500;
const COLD_EVENTS = 2_000;
const COLD_PER_SECOND = 100;
/** The cold relay is compared with itself, after so many more events. */
const WARM_EVENTS = 3_000;

interface Aims {
  /** The processor time of an event, in requests of the no-op server at the same rate. */
  mostUnits?: number;
  /** Times the no-op server's own latency at the same rate. */
  p50?: number;
  p99?: number;
}

const lightRow = (perSecond: number, aims: Aims = {}): Row => ({
  name: `light-${perSecond}`,
  about: `at ${perSecond} events/s: processor time of an event, and the time until it is delivered and acknowledged`,
  run: async (bench) => {
    bench.progress(`${perSecond} events/s`);
    return withRelay(bench, { isCold: true }, (running) => measureAtRate(bench, running, perSecond, aims));
  },
});

export const bare: Row = {
  name: "bare",
  about: "the same as light-100 for the plainest program of Hono, BullMQ, pg and undici: what the packages cost",
  run: async (bench) => {
    const rig = await openRig({ queue: "redis" });
    try {
      await rig.query(BARE_TABLE);
      const { redisUrl = "", databaseUrl } = rig;
      const { gateway, worker } = await startBare({ redisUrl, databaseUrl, targetUrl: bench.receiver.url });
      bench.progress("the plainest program");
      const [gateways, workers] = [[{ ...gateway, pid: () => gateway.pid }], [{ pid: () => worker.pid }]];
      const figures = await measureAtRate(bench, { rig, gateways, workers }, 100, {});
      worker.stop();
      gateway.stop();
      return figures;
    } finally {
      await rig.close();
    }
  },
};

interface Measured extends Watched {
  gateways: readonly Pick<RunningApp, "pid" | "url">[];
}

async function measureAtRate(bench: Bench, running: Measured, perSecond: number, aims: Aims): Promise<Figure[]> {
  const ms = bench.quick ? QUICK_MS : MEASURE_MS;
  const pace = { kind: "open", perSecond } as const;
  await send(bench, running, perSecond, { kind: "ms", ms: bench.quick ? QUICK_MS : WARM_UP_MS });
  const yardstick = await bench.openYardstick();
  try {
    const before = await yardstick.measure(ms / 2, pace);
    const { result, partsMs } = await watchParts(running, () => send(bench, running, perSecond, { kind: "ms", ms }));
    const after = await yardstick.measure(ms / 2, pace);
    const unitMs = (before.unitMs + after.unitMs) / 2;
    const beside = [...before.acknowledgedMs, ...after.acknowledgedMs].toSorted((a, b) => a - b);
    return [
      { what: "no-op beside it, processor time", value: unitMs, unit: "ms/request", digits: 2 },
      ...partFigures(partsMs, result.sent, unitMs, aims.mostUnits),
      ...latencyFigures("delivered", result.deliveredMs, beside, aims),
      ...latencyFigures("acknowledged", result.acknowledgedMs, beside, {}),
    ];
  } finally {
    yardstick.stop();
  }
}

export const light = [lightRow(10), lightRow(100, { mostUnits: 6, p50: 3, p99: 4.5 }), lightRow(300)];

export const cold: Row = {
  name: "cold",
  about: `the first ${COLD_EVENTS.toLocaleString("en")} events after a start, compared with later ones`,
  run: async (bench) =>
    withRelay(bench, { isCold: true }, async (running) => {
      bench.progress("the first events after a start");
      const [first, later] = bench.quick ? [50, 50] : [COLD_EVENTS, WARM_EVENTS];
      const coldMs = await send(bench, running, COLD_PER_SECOND, { kind: "count", count: first });
      const warmMs = await send(bench, running, COLD_PER_SECOND, { kind: "count", count: later });
      const figure = (what: string, key: "deliveredMs" | "acknowledgedMs", atMost?: number): Figure => {
        const value = percentile(coldMs[key], 0.99);
        const ratio = value / percentile(warmMs[key], 0.99);
        return { what, value, unit: "ms", digits: 1, ratio, ...(atMost !== undefined && { aim: { atMost } }) };
      };
      return [figure("delivered, p99", "deliveredMs", 1.5), figure("acknowledged, p99", "acknowledgedMs")];
    }),
};

interface Sent {
  sent: number;
  /** Milliseconds from when an event was due, in ascending order. */
  deliveredMs: number[];
  acknowledgedMs: number[];
}

/** Sends events in an open loop, and waits until all have arrived. */
async function send(
  { generator, receiver }: Bench,
  { gateways }: Pick<Measured, "gateways">,
  perSecond: number,
  until: { kind: "ms"; ms: number } | { kind: "count"; count: number },
): Promise<Sent> {
  receiver.reset({ latencies: true });
  const urls = gateways.map(({ url }) => url);
  const { sent, acknowledgedMs } = await generator.run({
    urls,
    bodyBytes: 200,
    pace: { kind: "open", perSecond },
    until,
  });
  await receiver.waitFor(sent);
  return { sent, acknowledgedMs, deliveredMs: (await receiver.report()).latenciesMs };
}

/** The ratio of each figure is to the no-op server's at the same rate. */
function latencyFigures(what: string, sorted: number[], beside: number[], { p50, p99 }: Aims): Figure[] {
  return [
    { name: "p50", fraction: 0.5, atMost: p50 },
    { name: "p99", fraction: 0.99, atMost: p99 },
    { name: "p99.9", fraction: 0.999, atMost: undefined },
  ].map(({ name, fraction, atMost }) => {
    const value = percentile(sorted, fraction);
    const ratio = value / percentile(beside, fraction);
    const aim = atMost !== undefined && { aim: { atMost } };
    return { what: `${what}, ${name}`, value, unit: "ms", digits: 1, ratio, ...aim };
  });
}
