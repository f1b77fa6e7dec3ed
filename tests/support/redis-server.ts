// Tests and the bench start a Redis (or Valkey) of their own, on a free port and as durable as the relay demands. The
// program is found on PATH or installed with apt. A server that already runs is never touched.

import { spawn } from "node:child_process";

import { findInstalled, installByApt } from "./apt.ts";
import { claimPort } from "./ports.ts";

const NAMES = ["redis-server", "valkey-server"];
const START_LIMIT_MS = 60_000;
/** Another process may take the free port before the server starts. */
const PORT_TRIES = 5;

export interface RedisServer {
  url: string;
  pid: number;
  /** Resolves when the server has ended, for any reason. */
  exited: Promise<void>;
  /** Stops the server and waits for its end. A second call is safe. */
  stop: () => Promise<void>;
}

/** The path of the server's program; undefined when it is not installed. */
export const findRedisServer = (): string | undefined => findInstalled(NAMES);

/** Installs a server with apt, which needs root. @returns the reason when that fails; undefined on success. */
export const installRedisServer = (): Promise<string | undefined> => installByApt(NAMES);

/** Installs a server if there is none. @throws Error when that fails. */
export async function ensureRedisServer(): Promise<void> {
  if (findRedisServer() !== undefined) return;
  const reason = await installRedisServer();
  if (reason === undefined) return;
  throw new Error(`There is no redis-server or valkey-server on PATH, and ${reason}. Install one of them.`);
}

interface RedisOptions {
  /** A free port when not given. */
  port?: number;
  /** Settings of redis.conf in addition to those below, or in their place. */
  settings?: Record<string, string>;
  /** Is called with the output of the server. */
  onOutput?: (text: string) => void;
  /** Is called before the server is ready, because the caller may have to end the process before that. */
  onSpawn?: (pid: number) => void;
}

/** @param dir an existing directory for the append-only file. */
export async function startRedisServer(
  binary: string,
  dir: string,
  { port, ...options }: RedisOptions = {},
): Promise<RedisServer> {
  for (let tries = 1; ; tries++) {
    try {
      return await startOn(binary, dir, port ?? (await claimPort()), options);
    } catch (error) {
      if (port !== undefined || tries === PORT_TRIES) throw error;
    }
  }
}

async function startOn(
  binary: string,
  dir: string,
  port: number,
  { settings: extraSettings = {}, onOutput = () => undefined, onSpawn = () => undefined }: RedisOptions,
): Promise<RedisServer> {
  const settings: Record<string, string> = {
    port: String(port),
    bind: "127.0.0.1",
    dir,
    databases: "1024",
    appendonly: "yes",
    appendfsync: "always",
    "maxmemory-policy": "noeviction",
    save: "",
    ...extraSettings,
  };
  const words = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  const child = spawn(binary, words, { stdio: ["ignore", "pipe", "ignore"] });
  if (child.pid !== undefined) onSpawn(child.pid);
  const exited = new Promise<void>((resolve) => child.once("close", () => resolve()));
  let output = "";
  await new Promise<void>((resolve, reject) => {
    const fail = () => reject(new Error(`${binary} did not start:\n${output.slice(-2_000)}`));
    const limit = setTimeout(() => {
      child.kill("SIGKILL");
      fail();
    }, START_LIMIT_MS);
    child.once("error", fail);
    child.once("close", fail);
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      onOutput(text);
      output += text;
      if (!output.includes("Ready to accept connections")) return;
      clearTimeout(limit);
      resolve();
    });
    void exited.then(() => clearTimeout(limit));
  });
  // The output is read to its end, because a full pipe would block the server.
  child.stdout.removeAllListeners("data").on("data", onOutput);
  const { pid } = child;
  if (pid === undefined) throw new Error(`${binary} did not start`);
  const stop = async () => {
    child.kill("SIGTERM");
    await exited;
  };
  return { url: `redis://127.0.0.1:${port}`, pid, exited, stop };
}
