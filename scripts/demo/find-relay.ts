// Which relay `npm run demo` talks to: the one that the environment names, else the one that `npm start` runs, else the
// one that `docker compose` runs.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { relative } from "node:path";

import type { RelayAddress } from "../relay/connection.ts";
import { dataDirOf, findRunningRelay, type RunningRelay } from "../relay/running-relay.ts";
import type { ReceiverPlace } from "./open-receiver.ts";

const COMPOSE_KEY_FILE = "/var/lib/sluice/admin-api-key";
const ENVIRONMENT_HINT = "$ADMIN_API_KEY";

export interface FoundRelay {
  address: RelayAddress;
  receiverPlace: ReceiverPlace;
}

/** @throws Error that says which relay was looked for and what is missing. */
export function findRelay(root: string, environment: NodeJS.ProcessEnv): FoundRelay {
  const env = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ""));
  const { SLUICE_INGRESS_URL: ingressUrl, SLUICE_API: apiUrl, SLUICE_RECEIVER_URL: receiverUrl } = env;
  const given = receiverUrl === undefined ? undefined : ({ kind: "given", url: receiverUrl } as const);
  const onLoopback = given ?? ({ kind: "loopback" } as const);
  const isNamed = ingressUrl !== undefined || apiUrl !== undefined;
  const started = isNamed ? undefined : findRunningRelay(dataDirOf(root, env));
  if (started !== undefined) return { address: addressOfStarted(started, env), receiverPlace: onLoopback };

  const local = (name: string, port: string) => `http://127.0.0.1:${env[name] ?? port}`;
  const urls = { ingressUrl: ingressUrl ?? local("PORT", "8080"), apiUrl: apiUrl ?? local("API_PORT", "8081") };
  const key = readKey(env);
  const composeKey = isNamed ? undefined : readComposeKey(root);
  const inContainer = given ?? ({ kind: "compose", directory: root } as const);
  const receiverPlace = composeKey === undefined ? onLoopback : inContainer;
  if (key !== undefined) {
    return { address: { ...urls, apiKey: key, apiKeyHint: hintOf(env["ADMIN_API_KEY_FILE"]) }, receiverPlace };
  }
  if (isNamed)
    throw new Error("Set ADMIN_API_KEY (or ADMIN_API_KEY_FILE) to an API key of the relay at SLUICE_INGRESS_URL.");
  if (composeKey === undefined) {
    throw new Error(
      "No relay is running here. Start one with `npm start` or `docker compose up -d --build --wait`, or see --help.",
    );
  }
  const apiKeyHint = `$(docker compose exec -T gateway cat ${COMPOSE_KEY_FILE})`;
  return { address: { ...urls, apiKey: composeKey, apiKeyHint }, receiverPlace };
}

function addressOfStarted({ ingressUrl, apiUrl, apiKeyFile }: RunningRelay, env: NodeJS.ProcessEnv): RelayAddress {
  const apiKey = apiKeyFile === null ? readKey(env) : readFileSync(apiKeyFile, "utf8").trim();
  if (apiKey === undefined) throw new Error("The relay was started with ADMIN_API_KEY. Set it to the same key here.");
  return { ingressUrl, apiUrl, apiKey, apiKeyHint: hintOf(apiKeyFile ?? undefined) };
}

/** How to write the key in a shell. @param file holds the key; undefined when the environment holds it. */
export function hintOf(file: string | undefined): string {
  if (file === undefined) return ENVIRONMENT_HINT;
  const short = relative(process.cwd(), file);
  return `$(cat ${short.startsWith("..") ? file : short})`;
}

function readKey(env: NodeJS.ProcessEnv): string | undefined {
  const file = env["ADMIN_API_KEY_FILE"];
  return env["ADMIN_API_KEY"] ?? (file === undefined ? undefined : readFileSync(file, "utf8").trim());
}

/** The key that the compose file's service `secrets` made; undefined when its gateway does not run. */
function readComposeKey(root: string): string | undefined {
  const command = ["compose", "exec", "-T", "gateway", "cat", COMPOSE_KEY_FILE];
  try {
    const key = execFileSync("docker", command, {
      cwd: root,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
      timeout: 20_000,
    });
    return key.trim() || undefined;
  } catch {
    return undefined;
  }
}
