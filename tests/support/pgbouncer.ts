// A PgBouncer in front of the tests' PostgreSQL, on a free port. A test that needs one is skipped where the program is
// not installed.

import { type ChildProcess, spawn } from "node:child_process";
import { accessSync, chownSync, constants, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { claimPort } from "./ports.ts";
import { until } from "./wait.ts";

const PATHS = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer", "/usr/local/bin/pgbouncer"];
/** The user `nobody`: PgBouncer refuses to run as root. */
const NOBODY = 65_534;

export interface PgBouncer {
  /** The given URL, with the address of the PgBouncer. */
  urlOf: (url: string) => string;
  /** Undefined while it does not run. */
  pid: () => number | undefined;
  /** Ends the PgBouncer with a signal, and waits for its end. */
  end: (signal: NodeJS.Signals) => Promise<void>;
  /** Starts it again, at the same address. */
  start: () => Promise<void>;
  stop: () => Promise<void>;
}

export interface PgBouncerOptions {
  poolMode: "session" | "transaction" | "statement";
  /** The sessions of PostgreSQL for each user of each database. */
  poolSize?: number;
  /** Lines of the section [pgbouncer]. */
  extra?: Record<string, string>;
}

/** The path of the program; undefined when it is not installed. */
export function findPgBouncer(): string | undefined {
  return PATHS.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** @param urls the databases, all on one server. PgBouncer gets a user and a password from each. */
export async function startPgBouncer(urls: readonly string[], options: PgBouncerOptions): Promise<PgBouncer> {
  const binary = findPgBouncer();
  if (binary === undefined) throw new Error("There is no pgbouncer on this machine");
  const directory = mkdtempSync(join(tmpdir(), "sluice-pgbouncer-"));
  const [server] = urls.map((url) => new URL(url));
  if (server === undefined) throw new Error("PgBouncer needs a database");
  const port = await claimPort();
  const settings = {
    listen_addr: "127.0.0.1",
    listen_port: String(port),
    unix_socket_dir: "",
    auth_type: "trust",
    auth_file: join(directory, "users"),
    logfile: join(directory, "log"),
    pool_mode: options.poolMode,
    default_pool_size: String(options.poolSize ?? 20),
    max_client_conn: "500",
    ...options.extra,
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}`);
  const databases = `[databases]\n* = host=${server.hostname} port=${server.port}\n`;
  writeFileSync(join(directory, "ini"), `${databases}[pgbouncer]\n${lines.join("\n")}\n`);
  const users = new Set(urls.map((url) => new URL(url)).map(({ username, password }) => `"${username}" "${password}"`));
  writeFileSync(join(directory, "users"), `${[...users].join("\n")}\n`);
  const isRoot = process.getuid?.() === 0;
  if (isRoot)
    for (const path of [directory, join(directory, "ini"), join(directory, "users")]) chownSync(path, NOBODY, NOBODY);
  let running: { child: ChildProcess; exited: Promise<void> } | undefined;
  const start = async () => {
    const child = spawn(binary, [join(directory, "ini")], {
      stdio: "ignore",
      ...(isRoot && { uid: NOBODY, gid: NOBODY }),
    });
    const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    running = { child, exited };
    await until(async () => {
      if (child.exitCode !== null) throw new Error(`PgBouncer ended: ${readLog(settings.logfile)}`);
      return accepts(port);
    });
  };
  const end = async (signal: NodeJS.Signals) => {
    running?.child.kill(signal);
    await running?.exited;
    running = undefined;
  };
  await start();
  return {
    urlOf: (url) => {
      const pooled = new URL(url);
      pooled.host = `127.0.0.1:${port}`;
      return pooled.href;
    },
    pid: () => running?.child.pid,
    end,
    start,
    stop: async () => {
      const kill = setTimeout(() => running?.child.kill("SIGKILL"), 5_000);
      await end("SIGINT");
      clearTimeout(kill);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function readLog(path: string): string {
  return statSync(path, { throwIfNoEntry: false }) === undefined ? "without a log" : readFileSync(path, "utf8");
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(port, "127.0.0.1");
    socket.once("connect", () => resolve(true));
    socket.once("error", () => resolve(false));
    socket.once("close", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}
