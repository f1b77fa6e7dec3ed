// A row gets a whole relay, and sends events as fast as this relay delivers them. The generator waits for the receiver, so
// that the backlog stays small during a long run.

import { now } from "./messages.ts";
import { openRig, type Rig, type RigOptions, type RunningApp } from "./rig.ts";
import type { Bench } from "./row.ts";

/** The events that arrive in a fraction of a second. */
const MAX_UNDELIVERED = 2_000;
/** Gemini sends over many connections at the same time. With a few connections, the relay would mostly wait. */
export const CONNECTIONS = 256;

interface Deployment extends Partial<RigOptions> {
  gateways?: number;
  workers?: number;
  targets?: number;
  /** True when the relay is to have no event before the work. By default it is saturated for a while, which warms it up. */
  isCold?: boolean;
  /** An open rig, which stays open; a new one when not given. */
  rig?: Rig;
}

export interface Running {
  rig: Rig;
  gateways: RunningApp[];
  workers: RunningApp[];
  /** Sends events for so many milliseconds. @returns delivered events per second. */
  flow: (ms: number, bodyBytes?: number) => Promise<number>;
}

export async function withRelay<T>(
  bench: Bench,
  deployment: Deployment,
  work: (running: Running) => Promise<T>,
): Promise<T> {
  const {
    gateways: gatewayCount = 1,
    workers: workerCount = 1,
    targets = 1,
    isCold = false,
    rig: opened,
    ...options
  } = deployment;
  const rig = opened ?? (await openRig({ queue: "redis", ...options }));
  try {
    const gateways: RunningApp[] = [];
    const workers: RunningApp[] = [];
    while (gateways.length < gatewayCount) gateways.push(await rig.startGateway());
    while (workers.length < workerCount) workers.push(await rig.startWorker());
    for (let n = 1; n <= targets; n++) await rig.createTarget(`${bench.receiver.url}/${n}`);
    const urls = gateways.map((gateway) => gateway.url);
    const flow = (ms: number, bodyBytes = 200) => measureFlow(bench, { urls, ms, bodyBytes, fanOut: targets });
    if (!isCold) await flow(bench.quick ? 200 : 5_000);
    return await work({ rig, gateways, workers, flow });
  } finally {
    if (opened === undefined) await rig.close();
  }
}

interface Flow {
  urls: string[];
  ms: number;
  bodyBytes: number;
  /** The number of targets that get each event. */
  fanOut: number;
}

/** @returns events per second that reached all their targets. @throws Error when an event was lost or came twice. */
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
  if (repeated > 0) throw new Error(`${repeated} deliveries arrived twice`);
  return (accepted * 1000) / (lastMs - startedAt);
}
