// PostgreSQL servers of the machine's own packages, because the PostgreSQL of `npm start` has no pg_basebackup. A
// primary gets a standby in the way in which an operator makes one, and can die as a machine does.

import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chownSync, existsSync, globSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

import pg from "pg";

import { type Account, chooseAccount } from "../scripts/postgres/account.ts";
import { postgresEnvironment, SUPERUSER } from "../scripts/postgres/cluster.ts";
import { type PostgresServer, startServer } from "../scripts/postgres/server.ts";
import type { ProcessGroup } from "../tests/support/process-group.ts";
import { runSql, withDatabase } from "../tests/support/sql.ts";
import { until } from "../tests/support/wait.ts";

/** The primary and the standby MUST have the same: a standby with less does not start. */
const SETTINGS = { max_connections: "200" };
/** Names the standby in `synchronous_standby_names`. */
export const STANDBY = "standby";

export interface PostgresNode {
  server: PostgresServer;
  /** The URL of the database `sluice`. */
  url: string;
  /** Ends every process of the server with SIGKILL. */
  kill: () => void;
}

export interface Installation {
  /** `PostgreSQL 15.14 (Debian …)` */
  version: string;
  /** Starts a server with an empty database `sluice`. */
  startPrimary: (dataDir: string) => Promise<PostgresNode>;
  /** Copies the server at this port and follows it. Resolves when the standby streams. */
  startStandby: (dataDir: string, primary: PostgresNode, port: number) => Promise<PostgresNode>;
}

/** @throws Error when the machine has no PostgreSQL with pg_basebackup. */
export async function findInstallation(processes: ProcessGroup): Promise<Installation> {
  const folders = [process.env["PG_BIN"] ?? "", ...globSync("/usr/lib/postgresql/*/bin").toSorted().toReversed()];
  const bin = folders.find((folder) => existsSync(join(folder, "pg_basebackup")));
  if (bin === undefined)
    throw new Error("There is no pg_basebackup: install postgresql-15, or set PG_BIN to its folder");
  const run = promisify(execFile);
  const binary = join(bin, "postgres");
  const version = (await run(binary, ["--version"])).stdout.trim().replace("postgres (PostgreSQL)", "PostgreSQL");

  const start = async (dataDir: string, account: Account, password: string): Promise<PostgresNode> => {
    const server = await startServer({ binary, account, dataDir, port: undefined, settings: SETTINGS });
    processes.add(() => server.pid, "SIGQUIT");
    const url = `postgres://${SUPERUSER}:${password}@127.0.0.1:${server.port}/sluice`;
    return { server, url, kill: () => killAll(server.pid) };
  };
  /** Makes a data directory and runs a program of PostgreSQL that fills its `cluster/`. */
  const fill = async (dataDir: string, program: string, args: string[], password: string) => {
    mkdirSync(dataDir, { mode: 0o711 });
    const passwordFile = join(dataDir, "password");
    writeFileSync(passwordFile, password, { mode: 0o600 });
    const account = await chooseAccount(binary, dataDir);
    const { owner } = account;
    if (owner !== undefined) for (const path of [dataDir, passwordFile]) chownSync(path, owner.uid, owner.gid);
    const [file = "", ...words] = [
      ...account.prefix,
      join(bin, program),
      `--pgdata=${join(dataDir, "cluster")}`,
      ...args,
    ];
    await run(file, words, { cwd: "/", env: { ...postgresEnvironment(), PGPASSWORD: password } });
    return account;
  };
  const startPrimary = async (dataDir: string) => {
    const password = randomBytes(24).toString("hex");
    const access = [`--username=${SUPERUSER}`, `--pwfile=${join(dataDir, "password")}`, "--auth=scram-sha-256"];
    const account = await fill(dataDir, "initdb", [...access, "--encoding=UTF8", "--locale=C"], password);
    const node = await start(dataDir, account, password);
    await runSql(withDatabase(node.url, "postgres"), "CREATE DATABASE sluice");
    return node;
  };
  const startStandby = async (dataDir: string, primary: PostgresNode, port: number) => {
    const { password } = new URL(primary.url);
    const from = `--dbname=host=127.0.0.1 port=${port} user=${SUPERUSER} application_name=${STANDBY}`;
    const slot = ["--create-slot", `--slot=${STANDBY}`];
    const options = ["--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast", ...slot];
    const account = await fill(dataDir, "pg_basebackup", [from, ...options], password);
    const node = await start(dataDir, account, password);
    const streams = "SELECT FROM pg_stat_replication WHERE application_name = $1 AND state = 'streaming'";
    await until(async () => (await runSql(primary.url, streams, [STANDBY])).length > 0, {
      what: "the standby to stream",
    });
    return node;
  };
  return { version, startPrimary, startStandby };
}

/** Makes the primary wait for its standby before it confirms a commit. Resolves when it does. */
export async function waitForStandby(primary: PostgresNode): Promise<void> {
  const client = new pg.Client(primary.url);
  await client.connect();
  try {
    // ALTER SYSTEM runs in no transaction, so each statement is sent alone.
    await client.query("ALTER SYSTEM SET synchronous_commit = 'on'");
    await client.query(`ALTER SYSTEM SET synchronous_standby_names = 'FIRST 1 (${STANDBY})'`);
    await client.query("SELECT pg_reload_conf()");
    await until(async () => {
      const { rows } = await client.query("SELECT sync_state FROM pg_stat_replication");
      return rows[0]?.sync_state === "sync";
    });
  } finally {
    await client.end();
  }
}

/** Sends SIGKILL to a server and to every session of it, as close together as one process can. */
function killAll(pid: number): void {
  const children = globSync("/proc/[0-9]*/stat").flatMap((path) => {
    try {
      // The name of the process, in parentheses, may have spaces. The state and the parent follow.
      const [, parent] = readFileSync(path, "utf8").split(") ")[1]?.split(" ") ?? [];
      return Number(parent) === pid ? [Number(path.split("/")[2])] : [];
    } catch {
      return [];
    }
  });
  for (const each of [pid, ...children]) {
    try {
      process.kill(each, "SIGKILL");
    } catch {
      // The process has ended meanwhile.
    }
  }
}
