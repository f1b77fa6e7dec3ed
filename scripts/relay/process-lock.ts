// A lock file that names its process. Only one process at a time uses a data directory, and the lock of a killed process
// does not block the next one. Node has no flock(2), so the file holds the pid and the start time of the process.

import { execFileSync } from "node:child_process";
import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

/** A takeover is a few file operations. The process of an older takeover file was killed during its takeover. */
const TAKEOVER_LIMIT_MS = 5_000;

export type Lock = { taken: true; release: () => void } | { taken: false; pid: number };

/** Takes the lock at a path in an existing directory, or says which living process holds the lock. */
export async function takeLock(path: string): Promise<Lock> {
  const me = `${process.pid} ${processStart(process.pid)}\n`;
  const takeover = `${path}.takeover`;
  // MUST exist while this process reads and replaces the lock file: otherwise two processes could both find a dead owner,
  // and both replace the file.
  while (!createExclusively(takeover, me)) {
    if (ageMs(takeover) > TAKEOVER_LIMIT_MS) rmSync(takeover, { force: true });
    await delay(20);
  }
  try {
    const pid = ownerOf(path);
    if (pid !== undefined) return { taken: false, pid };
    writeFileSync(`${path}.new`, me, { mode: 0o600 });
    renameSync(`${path}.new`, path);
  } finally {
    rmSync(takeover, { force: true });
  }
  return { taken: true, release: () => rmSync(path, { force: true }) };
}

/** The living process that holds a lock; undefined when the lock is free or its owner is gone. */
export function ownerOf(path: string): number | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
  const [, pid = "", started = ""] = /^(\d+) (.*)$/m.exec(text) ?? [];
  // A later process may have the same pid, but has another start time.
  return pid !== "" && started !== "" && processStart(Number(pid)) === started ? Number(pid) : undefined;
}

/** The start time of a process, in a format of the system; empty when there is no such process. */
export function processStart(pid: number): string {
  try {
    if (process.platform === "linux") {
      const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
      // proc_pid_stat(5): the second field is the name in parentheses, and the name may contain any character. The third
      // field is the state, the 22nd the start time.
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      return fields[0] === "Z" ? "" : (fields[19] ?? "");
    }
    return execFileSync("ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "utf8" }).trim();
  } catch {
    return "";
  }
}

function createExclusively(path: string, content: string): boolean {
  try {
    writeFileSync(path, content, { flag: "wx", mode: 0o600 });
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
}

function ageMs(path: string): number {
  const modified = statSync(path, { throwIfNoEntry: false })?.mtimeMs;
  return modified === undefined ? 0 : Date.now() - modified;
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
