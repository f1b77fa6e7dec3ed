// The rig is the relay that the bench measures: PostgreSQL with fsync, Redis with `appendfsync always`, and gateways and
// workers as processes. Everything runs on loopback and ends with this process.

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { newId } from "@sluice/shared/domain/ids";
import { MasterKey } from "@sluice/shared/settings/master-key";
import { generateSigningSecret } from "@sluice/signature/secret";
import { sealSecret } from "@sluice/store/configuration/secrets";
import { TARGET_DEFAULTS } from "@sluice/store/configuration/targets";
import { migrate } from "@sluice/store/connection/migrate";
import { Redis } from "ioredis";
import pg from "pg";

import { bundleApps } from "../scripts/relay/bundled-apps.ts";
import { type Member, startMember } from "../tests/support/member.ts";
import { claimPort } from "../tests/support/ports.ts";
import { startPostgres, startRedis } from "../tests/support/stores.ts";
import { processGroup } from "./children.ts";
import { readParent } from "./processor-time.ts";
import { SECRET } from "./messages.ts";

export interface RigOptions {
  /** The store of the queue. */
  queue: "redis" | "postgres";
  /** Settings of PostgreSQL. */
  settings?: Record<string, string>;
  /** The data directory of PostgreSQL; by default a new one, which is removed at the end. */
  postgresDirectory?: string;
  /** The path of the Node that runs the apps; by default the Node of this process. */
  node?: string;
}

/** The key is the same in every run, because it encrypted the secrets of a database that is kept. */
const MASTER_KEY = Buffer.alloc(32, "bench").toString("base64");

export interface RunningApp extends Member {
  /** The URL of a gateway's ingress, or of a worker's health. */
  url: string;
}

export interface Rig {
  databaseUrl: string;
  /** Undefined where the queue is in PostgreSQL. */
  redisUrl: string | undefined;
  startGateway: () => Promise<RunningApp>;
  startWorker: () => Promise<RunningApp>;
  /** Starts `sluice listen` with a service, at the last gateway. Resolves when it waits for events. */
  startListener: (serviceUrl: string) => Promise<{ stop: () => Promise<void> }>;
  /** Where the API of the last gateway is, and the key of it. */
  api: () => { url: string; key: string };
  /** Calls the API of the last gateway. @throws Error for any other answer than 2xx. */
  call: (method: string, path: string, body: object, signal?: AbortSignal) => Promise<{ id: string }>;
  /** Creates a target that gets every event. @returns `tgt_…` */
  createTarget: (uri: string, settings?: object) => Promise<string>;
  /** Creates an enabled target with the default settings for each URI, in one statement. Each gets every event. */
  createTargets: (uris: readonly string[]) => Promise<void>;
  /** Runs a statement of the bench itself. */
  query: (text: string, values?: unknown[]) => Promise<Record<string, unknown>[]>;
  /** The processes that the servers run as; Redis is undefined where the queue is in PostgreSQL. */
  serverPids: () => Promise<{ postgres: number; redis: number | undefined }>;
  /** The calls of each command so far, also from Lua, in lower case; empty without Redis. */
  redisCommands: () => Promise<Record<string, number>>;
  /** `used_memory` of Redis; 0 without Redis. */
  redisBytes: () => Promise<number>;
  close: () => Promise<void>;
}

/** NODE_OPTIONS is among them, so that `--cpu-prof` reaches the apps. */
const INHERITED = ["PATH", "HOME", "TMPDIR", "NODE_COMPILE_CACHE", "NODE_OPTIONS"];
const STOP_LIMIT_MS = { gateway: 20_000, worker: 45_000 };

let rigs = 0;
let template: Promise<string> | undefined;
/** `npm start` runs the same bundles. */
let bundles: ReturnType<typeof bundleApps> | undefined;

/** Makes the data directory of a migrated PostgreSQL, which is stopped. Each rig starts on a copy of it. */
async function makeTemplate(): Promise<string> {
  const processes = processGroup();
  const directory = join(processes.directory, "template");
  const postgres = await startPostgres(directory, processes);
  await migrate(postgres.url);
  await postgres.stop();
  return directory;
}

export async function openRig({ queue, settings = {}, postgresDirectory, node }: RigOptions): Promise<Rig> {
  const processes = processGroup();
  const directory = join(processes.directory, `rig-${++rigs}`);
  mkdirSync(directory, { mode: 0o711 });
  if (postgresDirectory === undefined) {
    template ??= makeTemplate();
    // `-a` keeps the owner of the files, who is another user when this process is root.
    execFileSync("cp", ["-a", await template, join(directory, "postgres")]);
  }
  const postgres = await startPostgres(postgresDirectory ?? join(directory, "postgres"), processes, settings);
  const redis = queue === "redis" ? await startRedis(join(directory, "redis"), processes) : undefined;
  await migrate(postgres.url);
  const client = new pg.Client(postgres.url);
  await client.connect();
  const redisClient = redis && new Redis(redis.url);

  bundles ??= bundleApps();
  const entries = await bundles;
  const apiKey = randomBytes(16).toString("hex");
  const shared = {
    ...Object.fromEntries(INHERITED.map((name) => [name, process.env[name]])),
    HOST: "127.0.0.1",
    TARGET_LOOPBACK: "allow",
    DATABASE_URL: postgres.url,
    ...(redis && { REDIS_URL: redis.url }),
    MASTER_KEY,
    ADMIN_API_KEY: apiKey,
    GEMINI_SIGNING_SECRET: SECRET,
    DATA_DIR: directory,
    // `npm start` sets the same level.
    LOG_LEVEL: "warn",
  };
  const apps = new Set<Member>();
  let started = 0;
  let apiUrl = "";
  const start = async (role: "gateway" | "worker", url: string, readyUrl: string, ports: NodeJS.ProcessEnv) => {
    const name = `${role}-${++started}`;
    const env = { ...shared, ...ports };
    const app = startMember(
      { name, entry: entries[role], readyUrl, env, stopLimitMs: STOP_LIMIT_MS[role], node },
      join(directory, `${name}.log`),
    );
    processes.add(app.pid, "SIGKILL");
    apps.add(app);
    await app.waitUntilReady();
    const stop = async () => {
      apps.delete(app);
      await app.stop();
    };
    return { ...app, url, stop };
  };
  const call = async (method: string, path: string, body: object, signal?: AbortSignal) => {
    const headers = { authorization: `Bearer ${apiKey}`, "content-type": "application/json" };
    const response = await fetch(apiUrl + path, {
      method,
      headers,
      body: JSON.stringify(body),
      signal: signal ?? null,
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as { id: string };
  };
  return {
    databaseUrl: postgres.url,
    redisUrl: redis?.url,
    startGateway: async () => {
      const [port, apiPort] = [await claimPort(), await claimPort()];
      apiUrl = `http://127.0.0.1:${apiPort}`;
      const ports = { PORT: String(port), API_PORT: String(apiPort) };
      return start("gateway", `http://127.0.0.1:${port}/in/gemini`, `${apiUrl}/readyz`, ports);
    },
    startWorker: async () => {
      const port = await claimPort();
      const url = `http://127.0.0.1:${port}`;
      return start("worker", url, `${url}/readyz`, { WORKER_PORT: String(port) });
    },
    startListener: async (serviceUrl) => {
      const env = { ...shared, SLUICE_API: apiUrl, SLUICE_API_KEY: apiKey, XDG_CONFIG_HOME: directory };
      const args = [entries.sluice, "listen", serviceUrl, "--name", "bench", "--json"];
      const child = spawn(node ?? process.execPath, args, { env, stdio: ["ignore", "ignore", "pipe"] });
      processes.add(() => (child.exitCode === null ? child.pid : undefined), "SIGKILL");
      const ended = once(child, "exit");
      for await (const line of createInterface({ input: child.stderr })) if (line.startsWith("Connected")) break;
      if (child.exitCode !== null) throw new Error("sluice listen ended at its start");
      return {
        stop: async () => {
          child.kill("SIGTERM");
          await ended;
        },
      };
    },
    api: () => ({ url: apiUrl, key: apiKey }),
    call,
    createTarget: async (uri, targetSettings) =>
      (await call("POST", "/v1/targets", { uri, subscribed_events: ["*"], ...targetSettings })).id,
    createTargets: async (uris) => {
      const key = new MasterKey(Buffer.from(MASTER_KEY, "base64"));
      const rows = uris.map((uri) => {
        const id = newId();
        return { id, uri, secret: sealSecret(key, id, generateSigningSecret()) };
      });
      const { timeoutSeconds, maxInFlight, retryBaseSeconds, retryCapSeconds, retryHorizonSeconds } = TARGET_DEFAULTS;
      await client.query(
        `INSERT INTO targets (id, name, uri, subscribed_events, timeout_seconds, max_in_flight, retry_base_seconds,
           retry_cap_seconds, retry_horizon_seconds)
         SELECT id, uri, uri, '{*}', $3, $4, $5, $6, $7 FROM unnest($1::uuid[], $2::text[]) AS t(id, uri)`,
        [
          rows.map(({ id }) => id),
          rows.map(({ uri }) => uri),
          timeoutSeconds,
          maxInFlight,
          retryBaseSeconds,
          retryCapSeconds,
          retryHorizonSeconds,
        ],
      );
      await client.query(
        `INSERT INTO target_secrets (id, target_id, ciphertext, truncated)
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bytea[], $4::text[])`,
        [
          rows.map(({ secret }) => secret.id),
          rows.map(({ id }) => id),
          rows.map(({ secret }) => secret.ciphertext),
          rows.map(({ secret }) => secret.truncated),
        ],
      );
    },
    query: async (text, values = []) => (await client.query<Record<string, unknown>>(text, values)).rows,
    serverPids: async () => {
      const session = await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
      const redisPid = /process_id:(\d+)/.exec((await redisClient?.info("server")) ?? "")?.[1];
      return {
        postgres: readParent(session.rows[0]?.pid ?? 0) ?? 0,
        redis: redisPid === undefined ? undefined : Number(redisPid),
      };
    },
    redisCommands: async () => {
      const text = (await redisClient?.info("commandstats")) ?? "";
      const found = [...text.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)];
      return Object.fromEntries(found.map(([, name = "", count]) => [name, Number(count)]));
    },
    redisBytes: async () => Number(/used_memory:(\d+)/.exec((await redisClient?.info("memory")) ?? "")?.[1] ?? 0),
    close: async () => {
      // The apps are killed, because nothing of them is kept. A profile, however, is written only at an orderly end.
      if (process.env["NODE_OPTIONS"] === undefined) for (const app of apps) app.signal("SIGKILL");
      await Promise.all([...apps].map((app) => app.stop()));
      redisClient?.disconnect();
      await client.end();
      await redis?.stop();
      await postgres.stop();
    },
  };
}
