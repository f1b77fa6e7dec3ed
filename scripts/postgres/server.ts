// One PostgreSQL server process: started on a free port of loopback, ready when its pid file says so, stopped
// by PostgreSQL's own signals.

import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import type { Account } from "./account.ts";
import { postgresEnvironment } from "./cluster.ts";

export interface PostgresServer {
  port: number;
  pid: number;
  /** Fulfils when the process has ended, for whatever reason. */
  exited: Promise<void>;
  /** Fast shutdown (sessions are ended, nothing is lost); immediate shutdown when that takes too long. */
  stop: () => Promise<void>;
}

export interface ServerOptions {
  binary: string;
  account: Account;
  dataDir: string;
  port: number | undefined;
  settings: Record<string, string>;
}

/** Crash recovery replays up to 1 GB of WAL (`max_wal_size`) before the server is ready. */
const START_LIMIT_MS = 180_000;
const FAST_STOP_LIMIT_MS = 10_000;
const IMMEDIATE_STOP_LIMIT_MS = 5_000;
const POLL_MS = 10;
/** Another process may take a free port between the look and the start. */
const PORT_TRIES = 5;

export async function startServer(options: ServerOptions): Promise<PostgresServer> {
  for (let tries = 1; ; tries++) {
    const started = await tryServer(options, options.port ?? (await freePort()));
    if ("server" in started) return started.server;
    const portTaken = started.log.includes("could not bind");
    if (!portTaken || options.port !== undefined || tries === PORT_TRIES) {
      throw new Error(`PostgreSQL did not start. The end of its log:\n${started.log}`);
    }
  }
}

async function tryServer(options: ServerOptions, port: number): Promise<{ server: PostgresServer } | { log: string }> {
  const cluster = join(options.dataDir, "cluster");
  const logPath = join(options.dataDir, "log");
  const settings = {
    listen_addresses: "127.0.0.1",
    port: String(port),
    // Of no use here, and their directory may be closed or its path too long for a socket.
    unix_socket_directories: "",
    log_checkpoints: "off",
    ...options.settings,
  };
  const assignments = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const [file = "", ...args] = [...options.account.prefix, options.binary, "-D", cluster, ...assignments];
  // Begun anew at each start: it then explains this start, and stays small.
  const log = openSync(logPath, "w", 0o600);
  // Detached, in a session of its own: Ctrl-C in the terminal must reach the launcher alone, which lets the
  // worker finish before it takes the database away.
  const child = spawn(file, args, {
    cwd: "/",
    env: postgresEnvironment(),
    detached: true,
    stdio: ["ignore", log, log],
  });
  closeSync(log);
  child.unref();
  const exited = new Promise<void>((resolve) => {
    child.once("exit", () => resolve()).once("error", () => resolve());
  });
  const hasEnded = () => child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
  const stop = async () => {
    const steps = [
      { signal: "SIGINT", limitMs: FAST_STOP_LIMIT_MS },
      { signal: "SIGQUIT", limitMs: IMMEDIATE_STOP_LIMIT_MS },
      { signal: "SIGKILL", limitMs: IMMEDIATE_STOP_LIMIT_MS },
    ] as const;
    for (const { signal, limitMs } of steps) {
      if (hasEnded()) return;
      child.kill(signal);
      const limit = new AbortController();
      await Promise.race([exited, delay(limitMs, undefined, { signal: limit.signal }).catch(() => undefined)]);
      limit.abort();
    }
  };
  const pid = child.pid ?? 0;
  for (let waitedMs = 0; !hasEnded() && waitedMs < START_LIMIT_MS; waitedMs += POLL_MS) {
    if (isReady(cluster, pid)) return { server: { port, pid, exited, stop } };
    await delay(POLL_MS);
  }
  await stop();
  return { log: readFileSync(logPath, "utf8").trim().split("\n").slice(-20).join("\n") };
}

/** As `pg_ctl start --wait` does it: line 1 of postmaster.pid is the pid, line 8 the state. */
function isReady(cluster: string, pid: number): boolean {
  try {
    const lines = readFileSync(join(cluster, "postmaster.pid"), "utf8").split("\n");
    return Number(lines[0]) === pid && lines[7]?.trim() === "ready";
  } catch {
    return false;
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("Loopback gave no port");
  return address.port;
}
