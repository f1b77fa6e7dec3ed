// pull: how much later a puller has an event than a target that is called, and what pulls cost that wait for nothing.

import { setTimeout as delay } from "node:timers/promises";

import { withRelay } from "../flow.ts";
import { percentile } from "../machine.ts";
import { now } from "../messages.ts";
import { readCpuMs } from "../processor-time.ts";
import type { Rig } from "../rig.ts";
import type { Row } from "../row.ts";

const PER_SECOND = 50;
const WAITING = 200;
const WAIT_SECONDS = 25;

interface Puller {
  /** Milliseconds from when an event was due to its arrival, since the last time that somebody asked. */
  takeLatenciesMs: () => number[];
  stop: () => Promise<void>;
}

export const pull: Row = {
  name: "pull",
  about: `at ${PER_SECOND} events/s, the time until a puller has an event; and what ${WAITING} waiting pulls cost the gateway`,
  run: async (bench) =>
    withRelay(bench, { isCold: true }, async ({ rig, gateways }) => {
      const { generator, receiver, quick } = bench;
      const puller = startPuller(rig, await createPullTarget(rig, "puller"));
      const load = {
        urls: gateways.map(({ url }) => url),
        bodyBytes: 200,
        pace: { kind: "open", perSecond: PER_SECOND },
      } as const;
      bench.progress(`${PER_SECOND} events/s to a puller and to a target`);
      await generator.run({ ...load, until: { kind: "ms", ms: quick ? 300 : 10_000 } });
      puller.takeLatenciesMs();
      receiver.reset({ latencies: true });
      const { accepted } = await generator.run({ ...load, until: { kind: "ms", ms: quick ? 1_000 : 40_000 } });
      await receiver.waitFor(accepted);
      const sent = (await receiver.report()).latenciesMs;
      const pulled: number[] = [];
      while (pulled.length < accepted) {
        pulled.push(...puller.takeLatenciesMs());
        await delay(20);
      }
      await puller.stop();
      const inOrder = [...Float64Array.from(pulled).toSorted()];

      bench.progress(`${WAITING} pulls that wait`);
      const idleMs = quick ? 200 : 10_000;
      const pid = gateways[0]?.pid() ?? 0;
      const without = await measureShare(pid, idleMs);
      const waiting = [];
      // Each for a target of its own: that costs more than many for one.
      for (let count = 1; count <= (quick ? 3 : WAITING); count++)
        waiting.push(startPuller(rig, await createPullTarget(rig, `waiting-${count}`)));
      // Every pull waits by then.
      await delay(quick ? 100 : 3_000);
      const withWaits = await measureShare(pid, quick ? 200 : WAIT_SECONDS * 1_000);
      await Promise.all(waiting.map((each) => each.stop()));
      return [
        { what: "called, p50", value: p50(sent), unit: "ms", digits: 1 },
        {
          what: "pulled, p50, to called",
          value: p50(inOrder),
          unit: "ms",
          digits: 1,
          ratio: p50(inOrder) / p50(sent),
          aim: { atMost: 2 },
        },
        {
          what: "pulled, p99, to called",
          value: percentile(inOrder, 0.99),
          unit: "ms",
          digits: 1,
          ratio: percentile(inOrder, 0.99) / percentile(sent, 0.99),
        },
        { what: "gateway, idle", value: without, unit: "% of a core", digits: 1 },
        {
          what: `gateway, ${WAITING} waiting pulls beside that`,
          value: Math.max(0, withWaits - without),
          unit: "% of a core",
          digits: 1,
          aim: { atMost: 5 },
        },
      ];
    }),
};

const p50 = (sorted: number[]) => percentile(sorted, 0.5);

async function createPullTarget(rig: Rig, name: string): Promise<string> {
  const subscription = name === "puller" ? "*" : "sluice.none";
  return (await rig.call("POST", "/v1/targets", { kind: "pull", name, subscribed_events: [subscription] })).id;
}

/** The processor time of a process in a stretch of time, in per cent of a core. */
async function measureShare(pid: number, ms: number): Promise<number> {
  const [cpuMs, at] = [readCpuMs(pid), now()];
  await delay(ms);
  return (100 * (readCpuMs(pid) - cpuMs)) / (now() - at);
}

interface PullAnswer {
  deliveries: { token: string; body: string }[];
}

/** Pulls until it is stopped, and reports a success for all that it gets while it pulls again. */
function startPuller(rig: Rig, targetId: string): Puller {
  const stopping = new AbortController();
  let latenciesMs: number[] = [];
  const reports = new Set<Promise<unknown>>();
  const post = (verb: string, body: object, signal?: AbortSignal): Promise<unknown> =>
    rig.call("POST", `/v1/targets/${targetId}:${verb}`, body, signal);
  const run = async () => {
    while (!stopping.signal.aborted) {
      const { deliveries } = (await post(
        "pull",
        { max: 100, wait_seconds: WAIT_SECONDS },
        stopping.signal,
      )) as PullAnswer;
      const at = now();
      for (const { body } of deliveries) latenciesMs.push(at - readDueAt(body));
      const results = deliveries.map(({ token }) => ({ token, status_code: 200, duration_ms: 1 }));
      if (results.length > 0) reports.add(post("ack", { results }));
    }
  };
  const ended = run().catch((error: unknown) => {
    if (!stopping.signal.aborted) throw error;
  });
  return {
    takeLatenciesMs: () => {
      const taken = latenciesMs;
      latenciesMs = [];
      return taken;
    },
    stop: async () => {
      stopping.abort();
      await ended;
      // A report that began as late as this is not aborted, because nobody would handle that.
      await Promise.all(reports);
    },
  };
}

function readDueAt(body: string): number {
  const { data } = JSON.parse(Buffer.from(body, "base64").toString()) as { data: { due_at: number } };
  return data.due_at;
}
