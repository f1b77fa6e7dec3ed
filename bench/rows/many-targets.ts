// Thousands of targets: a burst of events to many of them, one event to still more, and what they cost while nothing
// happens.

import { setTimeout as delay } from "node:timers/promises";

import { now } from "../messages.ts";
import { eachPart, type PartTimes, watchParts } from "../processor-time.ts";
import { MEBIBYTE, watchResidentSets } from "../resident-set.ts";
import { openRig, type Rig, type RunningApp } from "../rig.ts";
import { type Bench, type Figure, type Row, withYardstick } from "../row.ts";

interface ManyTargets {
  rig: Rig;
  gateway: RunningApp;
  worker: RunningApp;
}

/** @param uris one for each target. */
async function withTargets<T>(uris: readonly string[], work: (running: ManyTargets) => Promise<T>): Promise<T> {
  const rig = await openRig({ queue: "redis" });
  try {
    await rig.createTargets(uris);
    const gateway = await rig.startGateway();
    const worker = await rig.startWorker();
    return await work({ rig, gateway, worker });
  } finally {
    await rig.close();
  }
}

/** Sends events at the same time. @returns the milliseconds until the last delivery has arrived. */
async function deliverAll({ generator, receiver }: Bench, { gateway }: ManyTargets, events: number, targets: number) {
  receiver.reset();
  receiver.onCount(() => undefined);
  const startedAt = now();
  await generator.run({
    urls: [gateway.url],
    bodyBytes: 200,
    pace: { kind: "closed", connections: events },
    until: { kind: "count", count: events },
  });
  await receiver.waitFor(events * targets);
  const { lastMs = startedAt, repeated } = await receiver.report();
  if (repeated > 0) throw new Error(`${repeated} deliveries arrived twice`);
  return lastMs - startedAt;
}

/** Waits until every attempt is in the log. @returns how many failed, and how many breakers are open. */
async function readFailures({ rig }: ManyTargets, attempts: number): Promise<number> {
  for (;;) {
    const [row] = await rig.query(
      `SELECT (SELECT count(*) FROM attempts) AS attempts,
         (SELECT count(*) FROM attempts WHERE status_code IS DISTINCT FROM 200)
           + (SELECT count(*) FROM target_health WHERE openings > 0) AS failures`,
    );
    if (Number(row?.["attempts"]) >= attempts) return Number(row?.["failures"]);
    await delay(100);
  }
}

const BURST_EVENTS = 50;

export const burst: Row = {
  name: "burst",
  about: "deliveries/s of 50 events at once to 2,000 targets, on as many origins and on one",
  run: async (bench) => {
    const count = bench.quick ? 20 : 2_000;
    const origins = await bench.receiver.openPorts(count);
    const paths = Array.from({ length: count }, (_, index) => `${bench.receiver.url}/${index}`);
    const measure = (uris: readonly string[]) =>
      withTargets(uris, async (running) => {
        bench.progress(`50 events to ${count} targets`);
        const { measured, yardstick } = await withYardstick(bench, () =>
          watchResidentSets([running.worker], () => deliverAll(bench, running, BURST_EVENTS, count)),
        );
        const {
          result: tookMs,
          highestBytes: [bytes = 0],
        } = measured;
        const value = (BURST_EVENTS * count * 1000) / tookMs;
        return { value, ratio: value / yardstick, bytes, failures: await readFailures(running, BURST_EVENTS * count) };
      });
    const figuresOf = (what: string, { value, ratio, bytes, failures }: Awaited<ReturnType<typeof measure>>) =>
      [
        { what, value, ratio, unit: "deliveries/s" },
        { what: `${what}: failed attempts, open breakers`, value: failures, unit: "", aim: { atMost: 0 } },
        { what: `${what}: memory of the worker`, value: bytes / MEBIBYTE, unit: "MiB", aim: { atMost: 450 } },
      ] satisfies Figure[];
    return [
      ...figuresOf(
        `${count.toLocaleString("en")} origins`,
        await measure(origins.slice(0, count).map((url, index) => `${url}/${index}`)),
      ),
      ...figuresOf("one origin", await measure(paths)),
    ];
  },
};

const IDLE_MS = 20_000;
/** So many looks in a row, a second apart, must find no statement that runs: the event is counted and written then. */
const CALM_LOOKS = 10;

export const crowd: Row = {
  name: "crowd",
  about: "seconds for one event to reach 20,000 targets; and the processor time of the relay while nothing happens",
  run: async (bench) => {
    const count = bench.quick ? 50 : 20_000;
    const what = `${count.toLocaleString("en")} targets`;
    const uris = Array.from({ length: count }, (_, index) => `${bench.receiver.url}/${index}`);
    return withTargets(uris, async (running) => {
      bench.progress(`one event to ${what}`);
      const {
        result: tookMs,
        highestBytes: [bytes = 0],
      } = await watchResidentSets([running.worker], () => deliverAll(bench, running, 1, count));
      const failures = await readFailures(running, count);
      bench.progress(`${what}, idle`);
      if (!bench.quick) await waitUntilCalm(running);
      const idle = await measureIdle(running, bench.quick ? 1_000 : IDLE_MS);
      return [
        { what, value: tookMs / 1000, unit: "s", digits: 1, aim: { atMost: 10 } },
        { what: `${what}: failed attempts, open breakers`, value: failures, unit: "", aim: { atMost: 0 } },
        { what: `${what}: memory of the worker`, value: bytes / MEBIBYTE, unit: "MiB" },
        { what: `${what}, idle: worker`, value: idle.worker, unit: "ms CPU/s", digits: 1, aim: { atMost: 30 } },
        { what: `${what}, idle: PostgreSQL`, value: idle.PostgreSQL, unit: "ms CPU/s", digits: 1, aim: { atMost: 20 } },
      ];
    });
  },
};

async function waitUntilCalm({ rig }: ManyTargets): Promise<void> {
  for (let calm = 0; calm < CALM_LOOKS;) {
    await delay(1_000);
    const [row] = await rig.query(
      `SELECT count(*)::int AS running FROM pg_stat_activity
       WHERE state = 'active' AND pid <> pg_backend_pid() AND query_start < now() - interval '0.1 seconds'`,
    );
    calm = row?.["running"] === 0 ? calm + 1 : 0;
  }
}

/** @returns milliseconds of processor time for each second. */
async function measureIdle({ rig, gateway, worker }: ManyTargets, ms: number): Promise<PartTimes> {
  const { partsMs } = await watchParts({ rig, gateways: [gateway], workers: [worker] }, () => delay(ms));
  return eachPart((part) => (partsMs[part] * 1000) / ms);
}
