// drain: a backlog that came while the worker was down, delivered from when it is back.

import { CONNECTIONS } from "../flow.ts";
import { openRig } from "../rig.ts";
import { besideYardstick, type Row } from "../row.ts";

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
      bench.progress(`a backlog of ${count}`);
      const load = { urls: [gateway.url], bodyBytes: 200 };
      const pace = { kind: "closed", connections: CONNECTIONS } as const;
      receiver.reset();
      receiver.onCount(() => undefined);
      const { accepted } = await generator.run({ ...load, pace, until: { kind: "count", count } });
      const figure = await besideYardstick(bench, async () => {
        receiver.reset();
        await rig.startWorker();
        await receiver.waitFor(accepted);
        const { firstMs = 0, lastMs = 0 } = await receiver.report();
        return (accepted * 1000) / (lastMs - firstMs);
      });
      return [{ ...figure, what: `${accepted.toLocaleString("en")} events`, unit: "events/s", aim: { atLeast: 0.25 } }];
    } finally {
      await rig.close();
    }
  },
};
