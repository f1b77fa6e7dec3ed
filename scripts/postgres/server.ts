// One PostgreSQL server process on a free port of loopback. Its pid file says when it is ready, and PostgreSQL's own
// signals stop it.

import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { within } from "@sluice/shared/runtime/within";

import type { Account } from "./account.ts";
import { postgresEnvironment } from "./cluster.ts";

export interface PostgresServer {
  port: number;
  pid: number;
  /** Resolves when the process has ended, for any reason. */
  exited: Promise<void>;
  /** Ends the sessions and loses nothing (fast shutdown). If that takes too long, the shutdown is immediate. */
  stop: () => Promise<void>;
}

export interface ServerOptions {
  binary: string;
  account: Account;
  dataDir: string;
  port: number | undefined;
  settings: Record<string, string>;
}

/** After a crash, the server replays up to 1 GB of WAL (`max_wal_size`) before it is ready. */
const START_LIMIT_MS = 180_000;
/**
 * The signals that stop PostgreSQL, each with the time to wait after it: fast shutdown, immediate shutdown, kill.
 * https://www.postgresql.org/docs/current/server-shutdown.html
 */
export const STOP_STEPS = [
  { signal: "SIGINT", limitMs: 10_000 },
  { signal: "SIGQUIT", limitMs: 5_000 },
  { signal: "SIGKILL", limitMs: 5_000 },
] as const;
const POLL_MS = 10;
/** Another process may take the free port before the server starts. */
const PORT_TRIES = 5;

export async function startServer(options: ServerOptions): Promise<PostgresServer> {
  for (let tries = 1; ; tries++) {
    const started = await tryServer(options, options.port ?? (await findFreePort()));
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
    // Nothing uses a Unix socket, and the path of its directory may be closed to the user or too long.
    unix_socket_directories: "",
    log_checkpoints: "off",
    ...options.settings,
  };
  const assignments = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const [file = "", ...args] = [...options.account.prefix, options.binary, "-D", cluster, ...assignments];
  // Each start truncates the log, so that it explains this start and stays small.
  const log = openSync(logPath, "w", 0o600);
  // The server has a session of its own, because Ctrl-C in the terminal must reach only this process, which lets the
  // worker finish before it stops the database.
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
    for (const { signal, limitMs } of STOP_STEPS) {
      if (hasEnded()) return;
      child.kill(signal);
      await within(limitMs, exited);
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

/** Checks what `pg_ctl start --wait` checks: line 1 of postmaster.pid is the pid, line 8 the state. */
function isReady(cluster: string, pid: number): boolean {
  try {
    const lines = readFileSync(join(cluster, "postmaster.pid"), "utf8").split("\n");
    return Number(lines[0]) === pid && lines[7]?.trim() === "ready";
  } catch {
    return false;
  }
}

async function findFreePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("Loopback gave no port");
  return address.port;
}
