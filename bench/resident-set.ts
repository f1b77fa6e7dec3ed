// The memory that processes of the relay take from the machine.

import { execFileSync } from "node:child_process";

import type { RunningApp } from "./rig.ts";

export const MEBIBYTE = 1024 * 1024;
const SAMPLE_MS = 250;

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
