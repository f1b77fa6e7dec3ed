// no-op and ingest: the requests per second that a bare server answers, and that the gateway makes durable.

import { CONNECTIONS } from "../flow.ts";
import { openRig } from "../rig.ts";
import { type Bench, type Figure, inTurns, measureYardstick, type Row } from "../row.ts";

const TURNS = 5;

export const noOp: Row = {
  name: "no-op",
  about: "requests/s of a bare Hono server on @hono/node-server that reads the body and answers 200: the yardstick",
  run: async (bench) => [{ what: "200 B", value: (await measureYardstick(bench)).perSecond, unit: "requests/s" }],
};

export const ingest: Row = {
  name: "ingest",
  about: "durable 2xx/s, the worker stopped",
  run: async (bench) => [
    { ...(await measure(bench, 200)), what: "200 B", aim: { atLeast: 0.5 } },
    ...(bench.quick ? [] : [{ ...(await measure(bench, 10_000)), what: "10 KB" }]),
  ],
};

async function measure(bench: Bench, bodyBytes: number): Promise<Omit<Figure, "what">> {
  const rig = await openRig({ queue: "redis" });
  try {
    const gateway = await rig.startGateway();
    const load = { urls: [gateway.url], bodyBytes };
    const pace = { kind: "closed", connections: CONNECTIONS } as const;
    const run = async (ms: number) => {
      const { accepted, tookMs } = await bench.generator.run({ ...load, pace, until: { kind: "ms", ms } });
      return (accepted * 1000) / tookMs;
    };
    await run(bench.quick ? 300 : 3_000);
    bench.progress(`ingest of ${bodyBytes} bytes`);
    return { ...(await inTurns(bench, TURNS, () => run(bench.quick ? 1_000 : 3_000))), unit: "events/s" };
  } finally {
    await rig.close();
  }
}
