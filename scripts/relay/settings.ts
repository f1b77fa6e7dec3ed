// `npm start` turns its environment into files in DATA_DIR, free ports, and the environment of the apps.

import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";

import { gatewayConfig } from "@sluice/gateway/gateway-config";
import { generateApiKey } from "@sluice/shared/domain/api-key";
import { type Fault, SluiceError } from "@sluice/shared/runtime/errors";
import { migrateConfig } from "@sluice/shared/settings/common";
import { readOrCreateMasterKey } from "@sluice/shared/settings/master-key-file";
import { readConfig } from "@sluice/shared/settings/read-config";
import type { RoleUrls } from "@sluice/store/connection/roles";
import { workerConfig } from "@sluice/worker/worker-config";

export interface RelaySettings {
  /** Whether the relay uses the embedded PostgreSQL. */
  isEmbedded: boolean;
  apiKey: string;
  /** Null when the key is in the environment. */
  apiKeyFile: string | null;
  /** The URLs at which this machine reaches the apps. */
  ingressUrl: string;
  apiUrl: string;
  workerUrl: string;
  /** The environment of this process, with what was made. {@link environmentOf} has the part for each other process. */
  env: NodeJS.ProcessEnv;
}

const CONFIGS = { gateway: gatewayConfig, worker: workerConfig, migrate: migrateConfig };

/** A valid URL for the check of the configuration, because the URL of the embedded PostgreSQL is not known yet. */
const PLACEHOLDER_URL = "postgres://127.0.0.1/sluice";

/** @throws Error that names every variable that is not valid, or every port that is in use. */
export async function readRelaySettings(dataDir: string, environment: NodeJS.ProcessEnv): Promise<RelaySettings> {
  // An empty variable counts as absent, as the apps read it.
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ""));
  const isEmbedded = given["DATABASE_URL"] === undefined && given["DATABASE_URL_FILE"] === undefined;
  // The services that somebody tries a relay with are on this machine, and so is the receiver of the demonstration.
  const env: NodeJS.ProcessEnv = { LOG_LEVEL: "warn", TARGET_LOOPBACK: "allow", ...given, DATA_DIR: dataDir };
  if (given["ADMIN_API_KEY"] === undefined && given["ADMIN_API_KEY_FILE"] === undefined) {
    env["ADMIN_API_KEY_FILE"] = join(dataDir, "admin-api-key");
    createFile(env["ADMIN_API_KEY_FILE"], () => `${generateApiKey()}\n`);
  }
  if (given["MASTER_KEY"] === undefined && given["MASTER_KEY_FILE"] === undefined) readOrCreateMasterKey(dataDir);

  const checked = isEmbedded ? { ...env, DATABASE_URL: PLACEHOLDER_URL } : env;
  const { gateway, worker } = readBoth(checked);
  const ports = await checkPorts([
    { name: "PORT", host: gateway.HOST, port: gateway.PORT },
    { name: "API_PORT", host: gateway.API_HOST, port: gateway.API_PORT },
    { name: "WORKER_PORT", host: worker.WORKER_HOST, port: worker.WORKER_PORT },
  ]);
  for (const { name, port } of ports) env[name] = String(port);
  const [ingressUrl = "", apiUrl = "", workerUrl = ""] = ports.map(({ host, port }) => urlOf(host, port));
  return {
    isEmbedded,
    apiKey: gateway.ADMIN_API_KEY?.reveal() ?? "",
    apiKeyFile: env["ADMIN_API_KEY_FILE"] ?? null,
    ingressUrl,
    apiUrl,
    workerUrl,
    env,
  };
}

/**
 * The environment of one process: without the settings that only others read, such as the API key, which a worker does
 * not need.
 * @param urls of the embedded PostgreSQL; undefined when the environment names another.
 */
export function environmentOf(
  name: keyof typeof CONFIGS,
  { env }: Pick<RelaySettings, "env">,
  urls: RoleUrls | undefined,
): NodeJS.ProcessEnv {
  const isOwn = (setting: string) => setting in CONFIGS[name].shape;
  const foreign = Object.values(CONFIGS).flatMap(({ shape }) => Object.keys(shape).filter((each) => !isOwn(each)));
  // These name roles of the embedded PostgreSQL only when this process sets them.
  const hidden = new Set(
    [...foreign, "DATABASE_ADMIN_URL", "DATABASE_APP_URL"].flatMap((each) => [each, `${each}_FILE`]),
  );
  const own = Object.fromEntries(Object.entries(env).filter(([each]) => !hidden.has(each)));
  if (urls === undefined) return own;
  if (name !== "migrate") return { ...own, DATABASE_URL: urls.app };
  return { ...own, DATABASE_URL: urls.owner, DATABASE_ADMIN_URL: urls.admin, DATABASE_APP_URL: urls.app };
}

/** Reads the configuration of both apps. @throws Error that names the faults of both. */
function readBoth(env: NodeJS.ProcessEnv) {
  const faults = new Map<string, Fault>();
  const read = <T>(parse: () => T): T | undefined => {
    try {
      return parse();
    } catch (error) {
      if (!(error instanceof SluiceError) || error.faults.length === 0) throw error;
      for (const fault of error.faults) faults.set(fault.pointer, fault);
      return undefined;
    }
  };
  const gateway = read(() => readConfig(gatewayConfig, env));
  const worker = read(() => readConfig(workerConfig, env));
  if (gateway === undefined || worker === undefined) {
    const lines = [...faults.values()].map((fault) => `\n  ${fault.pointer} ${fault.detail}`);
    throw new Error(`Correct these settings in the environment or in .env:${lines.join("")}`);
  }
  return { gateway, worker };
}

interface Port {
  name: string;
  host: string;
  port: number;
}

/** Checks before the start that every port is free. Port 0 becomes a free port. */
async function checkPorts(wanted: Port[]): Promise<Port[]> {
  const faults: string[] = [];
  const servers = wanted.map(() => createServer());
  const free: Port[] = [];
  // All servers listen at the same time, so that no two ports are equal.
  for (const [index, { name, host, port }] of wanted.entries()) {
    const server = servers[index];
    if (server === undefined) continue;
    const reason = await new Promise<string | undefined>((resolve) => {
      server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
      server.listen({ port, host, exclusive: true }, () => resolve(undefined));
    });
    const address = server.address();
    if (address !== null && typeof address === "object") free.push({ name, host, port: address.port });
    else faults.push(`\n  ${name}=${port} on ${host}: ${reason === "EADDRINUSE" ? "in use" : reason}`);
  }
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  if (faults.length === 0) return free;
  throw new Error(
    `These ports cannot be used:${faults.join("")}\nFree them, or choose other ports, for example: PORT=9080 API_PORT=9081 WORKER_PORT=9082 npm start`,
  );
}

function urlOf(host: string, port: number): string {
  const reachable = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;
  return `http://${reachable.includes(":") ? `[${reachable}]` : reachable}:${port}`;
}

/** Makes a file that only its owner can read, unless the file exists. */
function createFile(path: string, content: () => string): void {
  try {
    writeFileSync(path, content(), { flag: "wx", mode: 0o600 });
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    // A full disk leaves an empty file.
    if (readFileSync(path, "utf8").trim() === "") writeFileSync(path, content(), { mode: 0o600 });
  }
}
