// The Redis and the PostgreSQL of a harness, each of which can be killed, hung, stopped and started again at its
// address.

import { appendFileSync, copyFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { type EmbeddedPostgres, startEmbeddedPostgres } from "../../scripts/postgres/embedded.ts";
import { findRedisServer, type RedisServer, startRedisServer } from "./redis-server.ts";
import { claimPort } from "./ports.ts";
import type { ProcessGroup } from "./process-group.ts";
import { runSql } from "./sql.ts";

export interface Store {
  /** The address of the store itself, without a proxy. */
  url: string;
  /** The directory of its files. */
  directory: string;
  /** Ends the store with a signal and waits for its end. */
  end: (signal: NodeJS.Signals) => Promise<void>;
  /** Fulfils when the store has ended by itself. */
  ended: () => Promise<void>;
  /** Starts the store again, at the same address and with its files. Does nothing while it runs. */
  start: () => Promise<void>;
  /** Sends SIGSTOP or SIGCONT to each of its processes. */
  signalAll: (signal: "SIGSTOP" | "SIGCONT") => Promise<void>;
  /** Stops the store in an orderly way, also while it is hung. */
  stop: () => Promise<void>;
}

/**
 * @param settings of redis.conf, in addition to those that every Redis here has.
 * @throws Error when this machine has no Redis.
 */
export async function startRedis(
  directory: string,
  group: ProcessGroup,
  settings: Record<string, string> = {},
): Promise<Store> {
  const binary = findRedisServer();
  if (binary === undefined) throw new Error("There is no redis-server or valkey-server on PATH");
  mkdirSync(directory, { recursive: true });
  const port = await claimPort();
  const logPath = `${directory}.log`;
  /** The pid, which is set as soon as the process exists, and undefined when its end has been waited for. */
  let spawnedPid: number | undefined;
  const launch = () =>
    startRedisServer(binary, directory, {
      port,
      settings,
      onOutput: (text) => appendFileSync(logPath, text),
      onSpawn: (pid) => {
        spawnedPid = pid;
      },
    });
  group.add(() => spawnedPid, "SIGKILL");
  let server: RedisServer | undefined = await launch();
  const { url } = server;
  const ended = async () => {
    await server?.exited;
    server = undefined;
    spawnedPid = undefined;
  };
  const end = async (signal: NodeJS.Signals) => {
    if (server === undefined) return;
    signalProcess(server.pid, signal);
    await ended();
  };
  return {
    url,
    directory,
    end,
    ended,
    start: async () => {
      server ??= await launch();
    },
    signalAll: async (signal) => {
      if (server !== undefined) signalProcess(server.pid, signal);
    },
    stop: () => {
      // A hung process does not handle SIGTERM until it goes on.
      if (server !== undefined) signalProcess(server.pid, "SIGCONT");
      return end("SIGTERM");
    },
  };
}

/** Starts PostgreSQL with fsync, as in production, so that what it confirmed outlasts its processes. */
export async function startPostgres(
  directory: string,
  group: ProcessGroup,
  extraSettings: Record<string, string> = {},
): Promise<Store> {
  const port = await claimPort();
  const settings = { max_connections: "200", log_connections: "off", ...extraSettings };
  const launch = () => startEmbeddedPostgres({ dataDir: directory, port, settings });
  let server: EmbeddedPostgres | undefined;
  // "Immediate shutdown": https://www.postgresql.org/docs/current/server-shutdown.html
  group.add(() => server?.pid ?? findStarting(directory), "SIGQUIT");
  server = await launch();
  const { url } = server;
  let starts = 1;
  let hung: number[] = [];
  const resume = () => {
    for (const pid of hung.splice(0)) signalProcess(pid, "SIGCONT");
  };
  // Hung processes do not handle the signal of the group until they go on.
  group.atEnd(resume);
  /** @param old a server that has ended, or that is to be stopped now. */
  const forget = async (old: EmbeddedPostgres) => {
    // After the end of the process too, because it releases the lock of the data directory.
    await old.stop();
    const log = join(directory, "log");
    // The next start overwrites the log.
    if (existsSync(log)) copyFileSync(log, `${directory}.${starts++}.log`);
    server = undefined;
  };
  return {
    url,
    directory,
    end: async (signal) => {
      if (server === undefined) return;
      signalProcess(server.pid, signal);
      await server.exited;
      await forget(server);
    },
    ended: async () => {
      if (server === undefined) return;
      await server.exited;
      await forget(server);
    },
    start: async () => {
      server ??= await launch();
    },
    signalAll: async (signal) => {
      // The pids of the sessions are read while PostgreSQL still answers: a signal to the server reaches no session.
      if (signal === "SIGSTOP") {
        const rows = await runSql(url, "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()");
        hung = [server?.pid ?? 0, ...rows.map(({ pid }) => Number(pid))].filter((pid) => pid > 1);
      } else resume();
      for (const pid of hung) signalProcess(pid, signal);
    },
    stop: async () => {
      resume();
      if (server !== undefined) await forget(server);
    },
  };
}

/**
 * The pid of a server that is still starting, from its pid file. A killed server leaves a pid that another process may
 * have by now, so the command line is checked too.
 */
function findStarting(directory: string): number | undefined {
  try {
    const cluster = join(directory, "cluster");
    const pid = Number(readFileSync(join(cluster, "postmaster.pid"), "utf8").split("\n")[0]);
    return pid > 1 && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(cluster) ? pid : undefined;
  } catch {
    return undefined;
  }
}

/** @returns whether there was such a process. */
export function signalProcess(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch {
    return false;
  }
}
