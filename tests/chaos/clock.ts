// A wall clock that can be stepped while its process runs: libfaketime, which reads the offset from a file. The monotonic
// clock, and with it every timer, goes on as it was, as when a machine's clock is set.

import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const APT_LIMIT_MS = 120_000;

export interface Clock {
  /** For the process whose clock it is. */
  env: NodeJS.ProcessEnv;
  /** From now on the clock is so many seconds ahead, or behind. */
  step: (seconds: number) => void;
}

/** The library, installed where apt can. @returns undefined where it cannot be had. */
export function findFaketime(): string | undefined {
  const found = lookForFaketime();
  if (found !== undefined || process.platform !== "linux" || process.getuid?.() !== 0) return found;
  try {
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
    execFileSync("apt-get", ["-qq", "install", "--yes", "faketime"], { env, timeout: APT_LIMIT_MS, stdio: "ignore" });
  } catch {
    return undefined;
  }
  return lookForFaketime();
}

function lookForFaketime(): string | undefined {
  const roots = ["/usr/lib", "/usr/local/lib", "/usr/lib64"].filter((root) => existsSync(root));
  const folders = roots.flatMap((root) => [root, ...readdirSync(root).map((name) => join(root, name))]);
  // The variant for programs with threads.
  return folders.map((folder) => join(folder, "faketime", "libfaketimeMT.so.1")).find((path) => existsSync(path));
}

export function openClock(library: string, file: string): Clock {
  const step = (seconds: number) => {
    // Renamed: a process that reads it at this moment finds the old offset or the new one.
    writeFileSync(`${file}.new`, `${seconds < 0 ? "-" : "+"}${Math.abs(seconds)}\n`);
    renameSync(`${file}.new`, file);
  };
  step(0);
  return {
    env: {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
    },
    step,
  };
}
