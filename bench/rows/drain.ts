// drain: a worker starts and delivers the backlog that arrived while it was down.

import { CONNECTIONS } from "../flow.ts";
import { openRig } from "../rig.ts";
import { inTurns, type Row } from "../row.ts";

const TURNS = 3;

export const drain: Row = {
  name: "drain",
  about: "events/s of a backlog of 100,000 that waits in Redis, from the first delivery to the last",
  run: async (bench) => {
    const { generator, receiver, quick } = bench;
    const count = quick ? 500 : 100_000;
    const rig = await openRig({ queue: "redis" });
    try {
      const gateway = await rig.startGateway();
      await rig.createTarget(`${receiver.url}/1`);
      const load = { urls: [gateway.url], bodyBytes: 200 };
      const pace = { kind: "closed", connections: CONNECTIONS } as const;
      let accepted = 0;
      const fill = async () => {
        bench.progress(`a backlog of ${count}`);
        receiver.reset();
        receiver.onCount(() => undefined);
        ({ accepted } = await generator.run({ ...load, pace, until: { kind: "count", count } }));
      };
      const measure = async () => {
        receiver.reset();
        const worker = await rig.startWorker();
        await receiver.waitFor(accepted);
        const { firstMs = 0, lastMs = 0 } = await receiver.report();
        await worker.stop();
        return (accepted * 1000) / (lastMs - firstMs);
      };
      const figure = await inTurns(bench, TURNS, measure, fill);
      return [{ ...figure, what: `${count.toLocaleString("en")} events`, unit: "events/s", aim: { atLeast: 0.25 } }];
    } finally {
      await rig.close();
    }
  },
};
