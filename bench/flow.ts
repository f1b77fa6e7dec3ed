// A whole relay for a row, and events through it as fast as it delivers them: the generator waits for the receiver, so
// that a backlog stays small however long it runs.

import { now } from "./messages.ts";
import { openRig, type Rig, type RigOptions, type RunningApp } from "./rig.ts";
import type { Bench } from "./row.ts";

/** As many as arrive in a fraction of a second. */
const MAX_UNDELIVERED = 2_000;
/** Many senders at once, as Gemini is: what a server that is asked by a few would do is mostly wait. */
export const CONNECTIONS = 256;

interface Deployment extends Partial<RigOptions> {
  gateways?: number;
  workers?: number;
  targets?: number;
  /** One that is open, and stays so. */
  rig?: Rig;
}

interface Running {
  rig: Rig;
  gateways: RunningApp[];
  workers: RunningApp[];
  /** Events each second for so long. */
  flow: (ms: number, bodyBytes?: number) => Promise<number>;
}

export async function withRelay<T>(
  bench: Bench,
  deployment: Deployment,
  work: (running: Running) => Promise<T>,
): Promise<T> {
  const { gateways: gatewayCount = 1, workers: workerCount = 1, targets = 1, rig: opened, ...options } = deployment;
  const rig = opened ?? (await openRig({ queue: "redis", ...options }));
  try {
    const gateways: RunningApp[] = [];
    const workers: RunningApp[] = [];
    while (gateways.length < gatewayCount) gateways.push(await rig.startGateway());
    while (workers.length < workerCount) workers.push(await rig.startWorker());
    for (let n = 1; n <= targets; n++) await rig.createTarget(`${bench.receiver.url}/${n}`);
    const urls = gateways.map((gateway) => gateway.url);
    const flow = (ms: number, bodyBytes = 200) => measureFlow(bench, { urls, ms, bodyBytes, fanOut: targets });
    await flow(bench.quick ? 200 : 5_000);
    return await work({ rig, gateways, workers, flow });
  } finally {
    if (opened === undefined) await rig.close();
  }
}

interface Flow {
  urls: string[];
  ms: number;
  bodyBytes: number;
  /** Targets that get each event. */
  fanOut: number;
}

/** @returns events that were delivered to all their targets, each second. @throws Error when one was lost or came twice. */
async function measureFlow({ generator, receiver }: Bench, { urls, ms, bodyBytes, fanOut }: Flow): Promise<number> {
  receiver.reset();
  receiver.onCount((count) => generator.tellArrived(Math.floor(count / fanOut)));
  const startedAt = now();
  const { accepted } = await generator.run({
    urls,
    bodyBytes,
    pace: { kind: "closed", connections: CONNECTIONS },
    until: { kind: "ms", ms },
    maxUndelivered: MAX_UNDELIVERED,
  });
  await receiver.waitFor(accepted * fanOut);
  const { lastMs = startedAt, repeated } = await receiver.report();
  if (repeated > 0) throw new Error(`${repeated} deliveries came twice`);
  return (accepted * 1000) / (lastMs - startedAt);
}
