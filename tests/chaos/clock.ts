// A wall clock that can be set while its process runs. libfaketime reads the offset of the clock from a file. The monotonic
// clock and the timers do not change, as when somebody sets the clock of a machine.

import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const APT_LIMIT_MS = 120_000;

export interface Clock {
  /** The environment of the process that uses this clock. */
  env: NodeJS.ProcessEnv;
  /** Sets the clock so many seconds ahead; a negative number sets it back. */
  step: (seconds: number) => void;
}

/** Finds libfaketime, or installs it with apt. @returns its path; undefined when neither works. */
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
  // This variant is for programs with threads.
  return folders.map((folder) => join(folder, "faketime", "libfaketimeMT.so.1")).find((path) => existsSync(path));
}

export function openClock(library: string, file: string): Clock {
  const step = (seconds: number) => {
    // The file is renamed into place, so that a process reads the old offset or the new one, and nothing between.
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
