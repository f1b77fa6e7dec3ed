// What processes of the relay take from the machine: memory and processor time.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

import type { RunningApp } from "./rig.ts";

export const MEBIBYTE = 1024 * 1024;
const SAMPLE_MS = 250;
/** USER_HZ is 100 on every common Linux: https://man7.org/linux/man-pages/man5/proc_stat.5.html */
const TICK_MS = 10;

/** Runs work. @returns its result, and the highest resident set of each app meanwhile, in bytes. */
export async function watchResidentSets<T>(
  apps: readonly RunningApp[],
  work: () => Promise<T>,
): Promise<{ result: T; highestBytes: number[] }> {
  const highestBytes = apps.map(() => 0);
  const look = () => {
    for (const [index, app] of apps.entries()) {
      const pid = app.pid();
      if (pid !== undefined) highestBytes[index] = Math.max(highestBytes[index] ?? 0, residentBytes(pid));
    }
  };
  const sample = setInterval(look, SAMPLE_MS);
  try {
    const result = await work();
    look();
    return { result, highestBytes };
  } finally {
    clearInterval(sample);
  }
}

function residentBytes(pid: number): number {
  return Number(execFileSync("ps", ["-o", "rss=", "-p", String(pid)], { encoding: "utf8" })) * 1024;
}

/** The processor time of a process and its threads so far, in milliseconds; 0 without /proc. */
export function readCpuMs(pid: number): number {
  try {
    // The name of the program comes second, and may hold spaces.
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? [];
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
  } catch {
    return 0;
  }
}
