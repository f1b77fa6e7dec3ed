// The relay of a container, found by the environment of its gateway: `docker compose exec gateway sluice …` needs no settings.

import { readFileSync } from "node:fs";

import type { OwnRelay } from "../cli-context.ts";

/**
 * ADMIN_API_KEY opens everything. Whoever may run a command in this environment may read it anyway, and it is sent to nobody but
 * the gateway that has the same environment.
 */
export function findOwnRelay(env: NodeJS.ProcessEnv): OwnRelay | undefined {
  const file = env["ADMIN_API_KEY_FILE"];
  const name = file ? "ADMIN_API_KEY_FILE" : "ADMIN_API_KEY";
  const key = file ? readOwnKeyFile(file) : env["ADMIN_API_KEY"];
  if (!key) return undefined;
  const host = env["API_HOST"] || "127.0.0.1";
  const api = reachable(`http://${host.includes(":") ? `[${host}]` : host}:${env["API_PORT"] || "8081"}`);
  return { api, published: env["API_URL"] && reachable(env["API_URL"]), key, from: name };
}

/** Some addresses say where to listen, and not where to connect to. */
const reachable = (url: string): string => url.replace(/^(https?:\/\/)(?:0\.0\.0\.0|\[::\])(?=[:/]|$)/, "$1127.0.0.1");

function readOwnKeyFile(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8").trim();
  } catch {
    return undefined;
  }
}
