// A killed `npm start` leaves PostgreSQL processes behind. They must end before a server starts on the same data, because
// two servers on one cluster destroy it.

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync, readlinkSync, realpathSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { STOP_STEPS } from "./server.ts";

const POLL_MS = 20;

/** Ends every PostgreSQL process on a cluster, and removes the pid file. The caller MUST hold the lock of the data. */
export async function stopOrphans(cluster: string): Promise<void> {
  if (!existsSync(cluster)) return;
  const path = realpathSync(cluster);
  for (const { signal, limitMs } of STOP_STEPS) {
    for (const pid of processesOn(path)) endProcess(pid, signal);
    for (let waitedMs = 0; waitedMs < limitMs && processesOn(path).length > 0; waitedMs += POLL_MS)
      await delay(POLL_MS);
    if (processesOn(path).length === 0) {
      // Another program may have the pid in the file by now, and PostgreSQL would take this program for a running server.
      // Removing the file is safe only here, where no process is on the cluster and the lock keeps new ones away.
      rmSync(join(path, "postmaster.pid"), { force: true });
      return;
    }
  }
  throw new Error(`Process ${processesOn(path).join(", ")} of PostgreSQL on ${path} does not end. End it by hand.`);
}

/** The pid of the server, or, if the server is gone, the pids of its remaining sessions. */
function processesOn(cluster: string): number[] {
  const server = Number(readPidFile(cluster));
  if (process.platform !== "linux") return isServerOf(server, cluster) ? [server] : [];
  const found = readdirSync("/proc")
    .map(Number)
    .filter((pid) => {
      try {
        // The working directory of every PostgreSQL process is its data directory.
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
