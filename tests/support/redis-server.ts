// A Redis (or Valkey) of its own for a test run, on a free port and as durable as the relay demands. Found on
// PATH or installed with apt; it never touches a server that was there before.

import { execFile, spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { createServer } from "node:net";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

const NAMES = ["redis-server", "valkey-server"];
const START_LIMIT_MS = 60_000;
/** Between the choice of a free port and the server's bind, another process may take it. */
const PORT_TRIES = 5;
const APT_LIMIT_MS = 180_000;

export interface RedisServer {
  url: string;
  pid: number;
  /** Fulfils when the server has ended, for whatever reason. */
  exited: Promise<void>;
  /** Waits for the server to be gone. Safe to call again. */
  stop: () => Promise<void>;
}

/** The path of a server's binary on PATH. */
export function findRedisServer(): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
  const paths = NAMES.flatMap((name) => [...folders, "/usr/local/bin", "/usr/bin"].map((folder) => join(folder, name)));
  return paths.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Installs a server where apt can: as root on Debian and its kin. @returns why there is none, or undefined. */
export async function installRedisServer(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return "only root can install one";
  const options = {
    timeout: APT_LIMIT_MS,
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    maxBuffer: 64 * 1024 * 1024,
  };
  const apt = (...words: string[]) => run("apt-get", ["-qq", "-o", "DPkg::Lock::Timeout=60", ...words], options);
  let reason = "";
  try {
    await apt("update");
  } catch (error) {
    // An old package list may still do.
    reason = lastLine(error);
  }
  for (const name of NAMES) {
    try {
      await apt("install", "--yes", "--no-install-recommends", name);
      if (findRedisServer() !== undefined) return undefined;
    } catch (error) {
      reason = lastLine(error);
    }
  }
  return `apt-get does not install one: ${reason}`;
}

interface RedisOptions {
  /** A free one when not given. */
  port?: number;
  /** Told what it prints. */
  onOutput?: (text: string) => void;
  /** Told of the process at once, before it is ready: whoever must end it may have to do so before. */
  onSpawn?: (pid: number) => void;
}

/** @param dir an existing directory for its append-only file. */
export async function startRedisServer(
  binary: string,
  dir: string,
  { port, onOutput = () => undefined, onSpawn = () => undefined }: RedisOptions = {},
): Promise<RedisServer> {
  for (let tries = 1; ; tries++) {
    try {
      return await startOn(binary, dir, port ?? (await freePort()), onOutput, onSpawn);
    } catch (error) {
      if (port !== undefined || tries === PORT_TRIES) throw error;
    }
  }
}

async function startOn(
  binary: string,
  dir: string,
  port: number,
  onOutput: (text: string) => void,
  onSpawn: (pid: number) => void,
): Promise<RedisServer> {
  const settings = {
    port: String(port),
    bind: "127.0.0.1",
    dir,
    databases: "1024",
    appendonly: "yes",
    appendfsync: "always",
    "maxmemory-policy": "noeviction",
    save: "",
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
  // Read to the end, so that the server never blocks on its log.
  child.stdout.removeAllListeners("data").on("data", onOutput);
  const { pid } = child;
  if (pid === undefined) throw new Error(`${binary} did not start`);
  const stop = async () => {
    child.kill("SIGTERM");
    await exited;
  };
  return { url: `redis://127.0.0.1:${port}`, pid, exited, stop };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

function lastLine(error: unknown): string {
  const text =
    error instanceof Error && "stderr" in error && error.stderr !== "" ? String(error.stderr) : String(error);
  return text.trim().split("\n").at(-1) ?? "";
}
