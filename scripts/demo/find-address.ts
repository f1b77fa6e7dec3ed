// Which relay `npm run demo` talks to: the one that the environment names, else the one of `npm start`, else the
// one of `docker compose`.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { relative } from "node:path";

import type { RelayAddress } from "../relay/connection.ts";
import { dataDirOf, findRelay, type RelayFile } from "../relay/running-relay.ts";

const COMPOSE_KEY_FILE = "/var/lib/sluice/admin-api-key";
const ENVIRONMENT_HINT = "$ADMIN_API_KEY";

/** @throws Error that says which relay was looked for and what is missing. */
export function findAddress(root: string, environment: NodeJS.ProcessEnv): RelayAddress {
  const env = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ""));
  const { SLUICE_URL: ingressUrl, SLUICE_API_URL: apiUrl } = env;
  const isNamed = ingressUrl !== undefined || apiUrl !== undefined;
  const started = isNamed ? undefined : findRelay(dataDirOf(root, env));
  if (started !== undefined) return ofStarted(started, env);

  const local = (name: string, port: string) => `http://127.0.0.1:${env[name] ?? port}`;
  const address = {
    ingressUrl: ingressUrl ?? local("PORT", "8080"),
    apiUrl: apiUrl ?? local("API_PORT", "8081"),
    // The worker of the compose file has this port inside its container, whatever is published.
    echoUrl: env["SLUICE_ECHO_URL"] ?? "http://127.0.0.1:8082/echo",
  };
  const key = readKey(env);
  if (key !== undefined) return { ...address, apiKey: key, apiKeyHint: hintOf(env["ADMIN_API_KEY_FILE"]) };
  if (isNamed) throw new Error("Set ADMIN_API_KEY (or ADMIN_API_KEY_FILE) to an API key of the relay at SLUICE_URL.");
  const composeKey = readComposeKey(root);
  if (composeKey === undefined) {
    throw new Error(
      "No relay is running here. Start one with `npm start` or `docker compose up -d --wait`, or see --help.",
    );
  }
  const apiKeyHint = `$(docker compose exec -T gateway cat ${COMPOSE_KEY_FILE})`;
  return { ...address, apiKey: composeKey, apiKeyHint };
}

function ofStarted({ ingressUrl, apiUrl, echoUrl, apiKeyFile }: RelayFile, env: NodeJS.ProcessEnv): RelayAddress {
  const apiKey = apiKeyFile === null ? readKey(env) : readFileSync(apiKeyFile, "utf8").trim();
  if (apiKey === undefined) throw new Error("The relay was started with ADMIN_API_KEY; set it here too.");
  return { ingressUrl, apiUrl, echoUrl, apiKey, apiKeyHint: hintOf(apiKeyFile ?? undefined) };
}

/** How to write the key in a shell. @param file that holds it; undefined when the environment does. */
export function hintOf(file: string | undefined): string {
  if (file === undefined) return ENVIRONMENT_HINT;
  const short = relative(process.cwd(), file);
  return `$(cat ${short.startsWith("..") ? file : short})`;
}

function readKey(env: NodeJS.ProcessEnv): string | undefined {
  const file = env["ADMIN_API_KEY_FILE"];
  return env["ADMIN_API_KEY"] ?? (file === undefined ? undefined : readFileSync(file, "utf8").trim());
}

/** The key that the gateway of the compose stack made for itself. */
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
