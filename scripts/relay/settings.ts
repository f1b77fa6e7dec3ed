// What `npm start` makes of the environment: its files in DATA_DIR, the ports, and the environment of the apps.

import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { gatewayConfig } from "@sluice/gateway/gateway-config";
import { readConfig } from "@sluice/shared/settings/read-config";
import { workerConfig } from "@sluice/worker/worker-config";
import { type Fault, SluiceError } from "@sluice/shared/runtime/errors";
import { readOrCreateMasterKey } from "@sluice/shared/settings/master-key-file";
import { generateApiKey } from "@sluice/store/configuration/api-keys";

export interface RelaySettings {
  /** Undefined: the embedded PostgreSQL. */
  databaseUrl: string | undefined;
  apiKey: string;
  /** Null when the key is in the environment itself. */
  apiKeyFile: string | null;
  /** As this machine reaches them. */
  ingressUrl: string;
  apiUrl: string;
  workerUrl: string;
  /** For gateway and worker; DATABASE_URL is still to be added when it is undefined here. */
  env: NodeJS.ProcessEnv;
}

/** Any valid one, while the real one does not exist yet. */
const PLACEHOLDER_URL = "postgres://127.0.0.1/sluice";

/** @throws Error that names every variable that is wrong, or every port that is taken. */
export async function readRelaySettings(dataDir: string, environment: NodeJS.ProcessEnv): Promise<RelaySettings> {
  // An empty variable counts as absent, as the apps read it.
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ""));
  const isEmbedded = given["DATABASE_URL"] === undefined && given["DATABASE_URL_FILE"] === undefined;
  const env: NodeJS.ProcessEnv = { LOG_LEVEL: "warn", ...given, DATA_DIR: dataDir };
  if (given["ADMIN_API_KEY"] === undefined && given["ADMIN_API_KEY_FILE"] === undefined) {
    env["ADMIN_API_KEY_FILE"] = join(dataDir, "admin-api-key");
    createFile(env["ADMIN_API_KEY_FILE"], () => `${generateApiKey()}\n`);
  }
  if (given["MASTER_KEY"] === undefined && given["MASTER_KEY_FILE"] === undefined) readOrCreateMasterKey(dataDir);

  const checked = isEmbedded ? { ...env, DATABASE_URL: PLACEHOLDER_URL } : env;
  const { gateway, worker } = readBoth(checked);
  const ports = await claimPorts([
    { name: "PORT", host: gateway.HOST, port: gateway.PORT },
    { name: "API_PORT", host: gateway.API_HOST, port: gateway.API_PORT },
    { name: "WORKER_PORT", host: "127.0.0.1", port: worker.WORKER_PORT },
  ]);
  for (const { name, port } of ports) env[name] = String(port);
  const [ingressUrl = "", apiUrl = "", workerUrl = ""] = ports.map(({ host, port }) => urlOf(host, port));
  return {
    databaseUrl: isEmbedded ? undefined : gateway.DATABASE_URL.reveal(),
    apiKey: gateway.ADMIN_API_KEY?.reveal() ?? "",
    apiKeyFile: env["ADMIN_API_KEY_FILE"] ?? null,
    ingressUrl,
    apiUrl,
    workerUrl,
    env,
  };
}

/** Both apps' configuration, with the faults of both at once. */
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
    throw new Error(`The environment (or .env) is not valid:${lines.join("")}`);
  }
  return { gateway, worker };
}

interface Port {
  name: string;
  host: string;
  port: number;
}

/** Finds that every port is free, before anything is started; 0 becomes a free one. */
async function claimPorts(wanted: Port[]): Promise<Port[]> {
  const faults: string[] = [];
  const servers = wanted.map(() => createServer());
  const claimed: Port[] = [];
  // All at once, so that no two are the same one.
  for (const [index, { name, host, port }] of wanted.entries()) {
    const server = servers[index];
    if (server === undefined) continue;
    const reason = await new Promise<string | undefined>((resolve) => {
      server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
      server.listen({ port, host, exclusive: true }, () => resolve(undefined));
    });
    const address = server.address();
    if (address !== null && typeof address === "object") claimed.push({ name, host, port: address.port });
    else faults.push(`\n  ${name}=${port} on ${host}: ${reason === "EADDRINUSE" ? "in use" : reason}`);
  }
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  if (faults.length === 0) return claimed;
  throw new Error(
    `Ports cannot be used:${faults.join("")}\nFree them, or choose others, for example: PORT=9080 API_PORT=9081 WORKER_PORT=9082 npm start`,
  );
}

function urlOf(host: string, port: number): string {
  const reachable = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;
  return `http://${reachable.includes(":") ? `[${reachable}]` : reachable}:${port}`;
}

/** Makes a file that only its owner can read, unless it exists. */
function createFile(path: string, content: () => string): void {
  try {
    writeFileSync(path, content(), { flag: "wx", mode: 0o600 });
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    // An empty one is what a full disk leaves.
    if (readFileSync(path, "utf8").trim() === "") writeFileSync(path, content(), { mode: 0o600 });
  }
}
