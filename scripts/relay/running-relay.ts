// The file `relay.json` in the data directory tells `npm run demo`, and the next `npm start`, about the relay that runs
// on this directory.

import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { ownerOf, processStart } from "./process-lock.ts";

export interface RunningRelay {
  ingressUrl: string;
  apiUrl: string;
  /** Null when the key came from the environment, so that no file holds it. */
  apiKeyFile: string | null;
  /** The apps. If `npm start` was killed, they must end before the next apps start. */
  processes: { pid: number; started: string }[];
}

/** The apps stop by themselves when their parent process is gone. An app that still runs after this time is stuck. */
const LEFTOVER_LIMIT_MS = 45_000;

export function dataDirOf(root: string, env: NodeJS.ProcessEnv): string {
  return resolve(root, env["DATA_DIR"] || ".data");
}

export function lockPath(dataDir: string): string {
  return join(dataDir, "relay.lock");
}

export function writeRunningRelay(dataDir: string, relay: RunningRelay): void {
  const path = join(dataDir, "relay.json");
  writeFileSync(`${path}.new`, `${JSON.stringify(relay, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

export function removeRunningRelay(dataDir: string): void {
  rmSync(join(dataDir, "relay.json"), { force: true });
}

/** The relay that runs on a data directory; undefined when no relay runs, or while it starts. */
export function findRunningRelay(dataDir: string): RunningRelay | undefined {
  return ownerOf(lockPath(dataDir)) === undefined ? undefined : readRunningRelay(dataDir);
}

/** Waits until the apps of a killed `npm start` end. The caller MUST hold the lock of the data directory. */
export async function endLeftovers(dataDir: string, onWait: () => void): Promise<void> {
  const left = readRunningRelay(dataDir)?.processes ?? [];
  const living = () => left.filter(({ pid, started }) => processStart(pid) === started);
  if (living().length > 0) onWait();
  for (let waitedMs = 0; waitedMs < LEFTOVER_LIMIT_MS && living().length > 0; waitedMs += 50) await delay(50);
  for (const { pid } of living()) process.kill(pid, "SIGKILL");
  removeRunningRelay(dataDir);
}

function readRunningRelay(dataDir: string): RunningRelay | undefined {
  try {
    return JSON.parse(readFileSync(join(dataDir, "relay.json"), "utf8")) as RunningRelay;
  } catch {
    return undefined;
  }
}
