// The first step of the compose file makes each secret that the environment does not give, once, in DATA_DIR, where only
// the relay's user can read it. A master key is never replaced, because the data that it encrypted would be lost.

import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { generateApiKey, MIN_API_KEY_LENGTH } from "@sluice/shared/domain/api-key";
import { readMasterKey } from "@sluice/shared/settings/master-key";

import { errorText } from "./relay/error-text.ts";

if (import.meta.main) {
  try {
    for (const name of makeSecrets(process.env["DATA_DIR"] ?? ".data", process.env)) console.log(`wrote ${name}`);
  } catch (error) {
    console.error(errorText(error));
    process.exitCode = 1;
  }
}

/** @returns the written files. @throws Error when a given secret is not valid; no file is written then. */
export function makeSecrets(dataDir: string, env: NodeJS.ProcessEnv): string[] {
  const pathOf = (name: string) => join(dataDir, name);
  // A full disk leaves an empty file. Nothing used its secret yet, so a new one may replace it.
  const read = (name: string) => (existsSync(pathOf(name)) && readFileSync(pathOf(name), "utf8").trim()) || undefined;
  const stored = { masterKey: read("master-key"), apiKey: read("admin-api-key"), password: read("postgres-password") };
  const given = {
    masterKey: env["MASTER_KEY"]?.trim() || undefined,
    apiKey: env["ADMIN_API_KEY"]?.trim() || undefined,
  };

  const faults: string[] = [];
  if (given.masterKey !== undefined) {
    if (readMasterKey(given.masterKey) === undefined)
      faults.push("MASTER_KEY must be 32 bytes in base64, as `openssl rand -base64 32` prints.");
    else if (stored.masterKey !== undefined && !isSameKey(given.masterKey, stored.masterKey))
      faults.push(
        `MASTER_KEY is not the key in ${pathOf("master-key")}, which encrypted the secrets of this relay. ` +
          "Nothing was changed. Remove MASTER_KEY from the environment and from .env, and start again.",
      );
  }
  if (given.apiKey !== undefined && given.apiKey.length < MIN_API_KEY_LENGTH)
    faults.push(`ADMIN_API_KEY must be at least ${MIN_API_KEY_LENGTH} characters.`);
  if (faults.length > 0) throw new Error(faults.join("\n"));

  const password = stored.password ?? randomBytes(24).toString("hex");
  const wanted = {
    "master-key": stored.masterKey ?? given.masterKey ?? randomBytes(32).toString("base64"),
    "admin-api-key": given.apiKey ?? stored.apiKey ?? generateApiKey(),
    "postgres-password": password,
    "database-url": `postgres://sluice:${password}@postgres:5432/sluice`,
  };
  const changed = Object.entries(wanted).filter(([name, value]) => read(name) !== value);
  for (const [name, value] of changed) {
    // The complete file is renamed into place, so that another service, or the next start, never reads half of a secret.
    writeFileSync(`${pathOf(name)}.new`, `${value}\n`, { mode: 0o600, flush: true });
    renameSync(`${pathOf(name)}.new`, pathOf(name));
  }
  return changed.map(([name]) => name);
}

/** Compares the keys and not their texts, because one may be in base64 and the other in hex. */
function isSameKey(given: string, stored: string): boolean {
  const [a, b] = [given, stored].map((text) => readMasterKey(text)?.deriveKey("comparison"));
  return a !== undefined && b !== undefined && a.equals(b);
}
