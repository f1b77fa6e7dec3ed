// PostgreSQL processes that a killed launcher left behind. They are ended before a server starts on the same
// data, because two servers on one cluster destroy it.

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync, readlinkSync, realpathSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

const POLL_MS = 20;
/** What to send and how long to wait for it: fast shutdown, immediate shutdown, kill. */
const STEPS = [
  { signal: "SIGINT", limitMs: 10_000 },
  { signal: "SIGQUIT", limitMs: 5_000 },
  { signal: "SIGKILL", limitMs: 5_000 },
] as const;

/** Ends whatever PostgreSQL runs on a cluster, and clears its pid file. The caller MUST hold the lock of the data. */
export async function stopOrphans(cluster: string): Promise<void> {
  if (!existsSync(cluster)) return;
  const path = realpathSync(cluster);
  for (const { signal, limitMs } of STEPS) {
    for (const pid of processesOn(path)) endProcess(pid, signal);
    for (let waitedMs = 0; waitedMs < limitMs && processesOn(path).length > 0; waitedMs += POLL_MS)
      await delay(POLL_MS);
    if (processesOn(path).length === 0) {
      // A pid in it may be some other program's by now, which PostgreSQL would take for a running server.
      // Safe to remove here only, where no process is on the cluster and the lock keeps new ones away.
      rmSync(join(path, "postmaster.pid"), { force: true });
      return;
    }
  }
  throw new Error(`The PostgreSQL on ${path} does not end: process ${processesOn(path).join(", ")}`);
}

/** The server, or without one its remaining backends. */
function processesOn(cluster: string): number[] {
  const server = Number(readPidFile(cluster));
  if (process.platform !== "linux") return isServerOf(server, cluster) ? [server] : [];
  const found = readdirSync("/proc")
    .map(Number)
    .filter((pid) => {
      try {
        // Every PostgreSQL process works in its data directory.
        return (
          readlinkSync(`/proc/${pid}/cwd`) === cluster &&
          basename(readlinkSync(`/proc/${pid}/exe`)).startsWith("postgres")
        );
      } catch {
        return false;
      }
    });
  return found.includes(server) ? [server] : found;
}

function isServerOf(pid: number, cluster: string): boolean {
  if (!(pid > 1)) return false;
  try {
    const command = execFileSync("ps", ["-o", "command=", "-p", String(pid)], { encoding: "utf8" });
    return command.includes("postgres") && command.includes(cluster);
  } catch {
    return false;
  }
}

function readPidFile(cluster: string): string {
  try {
    return readFileSync(join(cluster, "postmaster.pid"), "utf8").split("\n")[0] ?? "";
  } catch {
    return "";
  }
}

function endProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}
