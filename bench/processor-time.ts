// The processor time that an event costs, in each part of the relay, as /proc counts it.

import { readdirSync, readFileSync } from "node:fs";

import type { Rig, RunningApp } from "./rig.ts";
import type { Figure } from "./row.ts";

const PARTS = ["gateway", "worker", "PostgreSQL", "Redis"] as const;
type Part = (typeof PARTS)[number];
export type PartTimes = Record<Part, number>;

/** USER_HZ is 100 on every common Linux: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html */
const TICK_MS = 10;

export interface Watched {
  rig: Rig;
  gateways: readonly Pick<RunningApp, "pid">[];
  workers: readonly Pick<RunningApp, "pid">[];
}

interface ProcessTimes {
  parent: number;
  /** The processor time of the process and its threads. */
  ownMs: number;
  /** The processor time of its children that have ended. */
  endedChildrenMs: number;
}

/** @returns undefined when the process has ended, or the machine has no /proc. */
function readTimes(pid: number): ProcessTimes | undefined {
  try {
    // The name of the program comes second, and may hold spaces.
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ").map(Number) ?? [];
    const [, parent = 0] = fields;
    const [user = 0, system = 0, childrenUser = 0, childrenSystem = 0] = fields.slice(11, 15);
    return { parent, ownMs: (user + system) * TICK_MS, endedChildrenMs: (childrenUser + childrenSystem) * TICK_MS };
  } catch {
    return undefined;
  }
}

/** The processor time of a process and its threads so far, in milliseconds; 0 without /proc. */
export function readCpuMs(pid: number): number {
  return readTimes(pid)?.ownMs ?? 0;
}

/** The process that started this one; undefined without /proc. */
export const readParent = (pid: number) => readTimes(pid)?.parent;

/** The processor time of a server and all processes that it started, in milliseconds. */
function readServerCpuMs(pid: number): number {
  const server = readTimes(pid);
  if (server === undefined) return 0;
  const children = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((name) => readTimes(Number(name)))
    .filter((times) => times?.parent === pid);
  return server.ownMs + server.endedChildrenMs + children.reduce((sum, times) => sum + (times?.ownMs ?? 0), 0);
}

const readAppsCpuMs = (apps: Watched["workers"]) => apps.reduce((sum, app) => sum + readCpuMs(app.pid() ?? 0), 0);

/** Runs work. @returns its result, and the milliseconds of processor time that each part took meanwhile. */
export async function watchParts<T>(
  { rig, gateways, workers }: Watched,
  work: () => Promise<T>,
): Promise<{ result: T; partsMs: PartTimes }> {
  const { postgres, redis } = await rig.serverPids();
  const read = (): PartTimes => ({
    gateway: readAppsCpuMs(gateways),
    worker: readAppsCpuMs(workers),
    PostgreSQL: readServerCpuMs(postgres),
    Redis: redis === undefined ? 0 : readServerCpuMs(redis),
  });
  const before = read();
  const result = await work();
  const after = read();
  return { result, partsMs: eachPart((part) => Math.max(0, after[part] - before[part])) };
}

export function eachPart(valueOf: (part: Part) => number): PartTimes {
  return Object.fromEntries(PARTS.map((part) => [part, valueOf(part)])) as PartTimes;
}

/** @param unitMs the processor time of the no-op server for a request, in the same run; the ratio is to it. */
export function partFigures(partsMs: PartTimes, events: number, unitMs: number, atMost?: number): Figure[] {
  const figure = (what: string, ms: number) => {
    const value = ms / events;
    return { what: `processor time, ${what}`, value, unit: "ms/event", digits: 2, ratio: value / unitMs };
  };
  const all = PARTS.reduce((sum, part) => sum + partsMs[part], 0);
  return [
    ...PARTS.map((part) => figure(part, partsMs[part])),
    { ...figure("all", all), ...(atMost !== undefined && { aim: { atMost } }) },
  ];
}
