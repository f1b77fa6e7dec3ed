// What one event asks of the kernel, of Redis and of PostgreSQL at a rate that most relays have.

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";

import { withRelay } from "../flow.ts";
import type { Rig } from "../rig.ts";
import type { Figure, Row } from "../row.ts";

const PER_SECOND = 100;
const WARM_UP_EVENTS = 1_000;
const EVENTS = 1_000;
const QUICK_EVENTS = 30;
/** strace has attached to all threads. */
const ATTACH_MS = 1_000;

export const calls: Row = {
  name: "calls",
  about: `system calls, Lua calls, commits and fsyncs of an event at ${PER_SECOND} events/s; needs strace`,
  run: async (bench) =>
    withRelay(bench, { isCold: true }, async ({ rig, gateways, workers }) => {
      const urls = gateways.map(({ url }) => url);
      const send = async (count: number) => {
        bench.receiver.reset();
        const pace = { kind: "open", perSecond: PER_SECOND } as const;
        await bench.generator.run({ urls, bodyBytes: 200, pace, until: { kind: "count", count } });
        await bench.receiver.waitFor(count);
      };
      const count = bench.quick ? QUICK_EVENTS : EVENTS;
      await send(bench.quick ? QUICK_EVENTS : WARM_UP_EVENTS);
      bench.progress("calls of an event");
      const before = await readServers(rig);
      await send(count);
      const after = await readServers(rig);
      const figures = Object.entries(after).map(([what, value]) => figure(what, value - (before[what] ?? 0), count));
      if (!hasStrace()) return figures;
      const { redis } = await rig.serverPids();
      const watched = { gateway: gateways[0]?.pid(), worker: workers[0]?.pid(), Redis: redis };
      for (const [part, pid] of Object.entries(watched)) {
        if (pid === undefined) continue;
        const counts = await watchSystemCalls(pid, () => send(count));
        for (const [name, times] of counts) figures.push(figure(`${part}: ${name}`, times, count));
      }
      return figures;
    }),
};

const figure = (what: string, value: number, events: number): Figure => ({
  what,
  value: value / events,
  unit: "per event",
  digits: 2,
});

/** Counts of the servers so far. */
async function readServers(rig: Rig): Promise<Record<string, number>> {
  const commands = await rig.redisCommands();
  const [database] = await rig.query(
    "SELECT xact_commit::float8 AS commits FROM pg_stat_database WHERE datname = current_database()",
  );
  const [wal] = await rig.query(
    "SELECT coalesce(sum(fsyncs), 0)::float8 AS syncs, coalesce(sum(writes), 0)::float8 AS writes FROM pg_stat_io WHERE object = 'wal'",
  );
  const scripts = (commands["evalsha"] ?? 0) + (commands["eval"] ?? 0);
  const all = Object.values(commands).reduce((sum, times) => sum + times, 0);
  return {
    "Redis: Lua calls": scripts,
    "Redis: commands, those of Lua too": all,
    "Redis: XADD": commands["xadd"] ?? 0,
    "PostgreSQL: commits": Number(database?.["commits"]),
    "PostgreSQL: WAL syncs": Number(wal?.["syncs"]),
    "PostgreSQL: WAL writes": Number(wal?.["writes"]),
  };
}

function hasStrace(): boolean {
  try {
    execFileSync("strace", ["-V"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** @returns the most frequent system calls of a process and its threads during the work, by name. */
async function watchSystemCalls(pid: number, work: () => Promise<void>): Promise<[string, number][]> {
  const trace = spawn("strace", ["-c", "-f", "-p", String(pid)], { stdio: ["ignore", "ignore", "pipe"] });
  let text = "";
  trace.stderr.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  const ended = once(trace, "exit");
  await delay(ATTACH_MS);
  await work();
  trace.kill("SIGINT");
  await ended;
  // % time, seconds, microseconds per call, calls, errors (may be empty), name
  return [...text.matchAll(/^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?([a-z_0-9]+)$/gm)]
    .map(([, times, name = ""]): [string, number] => [name, Number(times)])
    .filter(([name, times]) => name !== "total" && times >= EVENTS / 5)
    .toSorted(([, a], [, b]) => b - a);
}
