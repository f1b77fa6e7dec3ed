// `relay.json` in the data directory: what `npm start` tells `npm run demo`, and the next `npm start`, about
// the relay that runs on that directory.

import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { ownerOf, processStart } from "./process-lock.ts";

export interface RelayFile {
  ingressUrl: string;
  apiUrl: string;
  /** The built-in target, as the worker reaches it. */
  echoUrl: string;
  /** Null when the key came from the environment, and is nowhere in a file. */
  apiKeyFile: string | null;
  /** The apps: what is left of them after a launcher was killed must end before the next ones start. */
  processes: { pid: number; started: string }[];
}

/** The apps stop by themselves when their launcher is gone; one that has not by then is stuck. */
const LEFTOVER_LIMIT_MS = 45_000;

export function dataDirOf(root: string, env: NodeJS.ProcessEnv): string {
  return resolve(root, env["DATA_DIR"] || ".data");
}

export function lockPath(dataDir: string): string {
  return join(dataDir, "relay.lock");
}

export function writeRelayFile(dataDir: string, relay: RelayFile): void {
  const path = join(dataDir, "relay.json");
  writeFileSync(`${path}.new`, `${JSON.stringify(relay, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

export function removeRelayFile(dataDir: string): void {
  rmSync(join(dataDir, "relay.json"), { force: true });
}

/** The relay that runs on a data directory; undefined when none does, or while it starts. */
export function findRelay(dataDir: string): RelayFile | undefined {
  return ownerOf(lockPath(dataDir)) === undefined ? undefined : readRelayFile(dataDir);
}

/** Waits for the apps of a killed launcher to end. The caller MUST hold the lock of the data directory. */
export async function endLeftovers(dataDir: string, onWait: () => void): Promise<void> {
  const left = readRelayFile(dataDir)?.processes ?? [];
  const living = () => left.filter(({ pid, started }) => processStart(pid) === started);
  if (living().length > 0) onWait();
  for (let waitedMs = 0; waitedMs < LEFTOVER_LIMIT_MS && living().length > 0; waitedMs += 50) await delay(50);
  for (const { pid } of living()) process.kill(pid, "SIGKILL");
  removeRelayFile(dataDir);
}

function readRelayFile(dataDir: string): RelayFile | undefined {
  try {
    return JSON.parse(readFileSync(join(dataDir, "relay.json"), "utf8")) as RelayFile;
  } catch {
    return undefined;
  }
}
