// Redis and PostgreSQL as a harness holds them: each can be killed, hung, stopped and started again at its address.

import { appendFileSync, copyFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { type EmbeddedPostgres, startEmbeddedPostgres } from "../../scripts/postgres/embedded.ts";
import { findRedisServer, type RedisServer, startRedisServer } from "./redis-server.ts";
import { runSql } from "./sql.ts";
import { claimPort } from "./ports.ts";
import type { ProcessGroup } from "./process-group.ts";

export interface Store {
  /** Directly, past every proxy. */
  url: string;
  /** Its files. */
  directory: string;
  /** Ends it with a signal and waits for its end. */
  end: (signal: NodeJS.Signals) => Promise<void>;
  /** Fulfils when it has ended by itself. */
  ended: () => Promise<void>;
  /** Starts it where it was. Does nothing while it runs. */
  start: () => Promise<void>;
  /** SIGSTOP or SIGCONT, to each of its processes. */
  signalAll: (signal: "SIGSTOP" | "SIGCONT") => Promise<void>;
  stop: () => Promise<void>;
}

/** @throws Error where there is no Redis. */
export async function startRedis(directory: string, group: ProcessGroup): Promise<Store> {
  const binary = findRedisServer();
  if (binary === undefined) throw new Error("There is no redis-server or valkey-server on PATH");
  mkdirSync(directory, { recursive: true });
  const port = await claimPort();
  const logPath = `${directory}.log`;
  /** Also while it starts; undefined once its end was waited for. */
  let spawned: number | undefined;
  const launch = () =>
    startRedisServer(binary, directory, {
      port,
      onOutput: (text) => appendFileSync(logPath, text),
      onSpawn: (pid) => {
        spawned = pid;
      },
    });
  group.add(() => spawned, "SIGKILL");
  let server: RedisServer | undefined = await launch();
  const { url } = server;
  const end = async (signal: NodeJS.Signals) => {
    if (server === undefined) return;
    const { pid, exited } = server;
    signalProcess(pid, signal);
    await exited;
    server = undefined;
    spawned = undefined;
  };
  return {
    url,
    directory,
    end,
    ended: async () => {
      await server?.exited;
      server = undefined;
      spawned = undefined;
    },
    start: async () => {
      server ??= await launch();
    },
    signalAll: async (signal) => {
      if (server !== undefined) signalProcess(server.pid, signal);
    },
    stop: () => {
      // Hung, it would never take the other signal.
      if (server !== undefined) signalProcess(server.pid, "SIGCONT");
      return end("SIGTERM");
    },
  };
}

/** With fsync, as in production: what it confirmed outlasts it. */
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
  // Hung, none of its processes takes the signal before.
  group.atEnd(resume);
  const forget = async (old: EmbeddedPostgres) => {
    await old.exited;
    // Gives the lock of the data back.
    await old.stop();
    const log = join(directory, "log");
    // The next start begins it anew.
    if (existsSync(log)) copyFileSync(log, `${directory}.${starts++}.log`);
    server = undefined;
  };
  return {
    url,
    directory,
    end: async (signal) => {
      if (server === undefined) return;
      signalProcess(server.pid, signal);
      await forget(server);
    },
    ended: async () => {
      if (server !== undefined) await forget(server);
    },
    start: async () => {
      server ??= await launch();
    },
    signalAll: async (signal) => {
      // Asked for while it still answers: the server's own signal reaches none of its sessions.
      if (signal === "SIGSTOP") {
        const rows = await runSql(url, "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()");
        hung = [server?.pid ?? 0, ...rows.map(({ pid }) => Number(pid))].filter((pid) => pid > 1);
      } else resume();
      for (const pid of hung) signalProcess(pid, signal);
    },
    stop: async () => {
      resume();
      if (server === undefined) return;
      const log = join(directory, "log");
      await server.stop();
      if (existsSync(log)) copyFileSync(log, `${directory}.${starts++}.log`);
      server = undefined;
    },
  };
}

/** A server that starts, by its pid file. One that was killed leaves a pid that may be anybody's by now. */
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
