// The first step of the compose file makes each secret that the environment does not give, once, and keeps all of them in
// one volume, DATA_DIR, which no other service mounts. Every other service has a volume of its own below READERS_DIR: this
// script puts there what that service needs, and nothing else. A master key is never replaced, because the data that it
// encrypted would be lost.

import { createHash, randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { generateApiKey, MIN_API_KEY_LENGTH } from "@sluice/shared/domain/api-key";
import { answerVersionFlag } from "@sluice/shared/runtime/version-flag";
import { readMasterKey } from "@sluice/shared/settings/master-key";

import { errorText } from "@sluice/shared/runtime/error-text";

/** The secrets. A volume of an older version has the first three. */
type SecretName =
  | "master-key"
  | "admin-api-key"
  | "metrics-key"
  | "postgres-password"
  | "postgres-owner-password"
  | "postgres-app-password"
  | "redis-password"
  | "redis-app-password";

interface SecretFile {
  content: string;
  mode: number;
}

/** Root reads every file. The images of gateway, worker and migrate run as the user that writes them. */
const OWNER_ONLY = { file: 0o600, directory: 0o700 };
/** Redis and Prometheus read their files as users of their own. */
const ANY_USER = { file: 0o644, directory: 0o711 };
/** As docs/redis.md allows, with the keys of a version whose keys had no identity. A test compares the two. */
const REDIS_RULES = "~{sluice:* ~sluice:* +@all -@admin -@dangerous +info +config|get";

if (import.meta.main) {
  answerVersionFlag();
  const { DATA_DIR: dataDir = ".data", READERS_DIR: readersDir = join(dataDir, "readers") } = process.env;
  try {
    for (const name of makeSecrets({ dataDir, readersDir }, process.env)) console.log(`wrote ${name}`);
  } catch (error) {
    console.error(errorText(error));
    process.exitCode = 1;
  }
}

/**
 * @returns the written files: those of DATA_DIR by their names, the others as `reader/name`.
 * @throws Error when a given secret is not valid, or is not the one in use; no file is written then.
 */
export function makeSecrets(
  { dataDir, readersDir }: { dataDir: string; readersDir: string },
  env: NodeJS.ProcessEnv,
): string[] {
  const readers = ["gateway", "worker", "migrate", "postgres", "redis", "prometheus"];
  // What DATA_DIR has lost may still be in a volume of a service, and in what that service has encrypted or stored.
  const find = (name: SecretName) =>
    [dataDir, ...readers.map((reader) => join(readersDir, reader))]
      .map((directory) => readSecretFile(join(directory, name)))
      .find((text) => text !== undefined);
  const given = {
    masterKey: env["MASTER_KEY"]?.trim() || undefined,
    apiKey: env["ADMIN_API_KEY"]?.trim() || undefined,
    metricsKey: env["METRICS_KEY"]?.trim() || undefined,
  };
  const masterKey = find("master-key");
  const copies = [dataDir, ...readers.map((reader) => join(readersDir, reader))].map((path) =>
    join(path, "master-key"),
  );
  const faults = findFaults(given, masterKey, copies);
  if (faults.length > 0) throw new Error(faults.join("\n"));

  const password = (name: SecretName) => find(name) ?? randomBytes(24).toString("hex");
  const secrets: Record<SecretName, string> = {
    "master-key": masterKey ?? given.masterKey ?? randomBytes(32).toString("base64"),
    "admin-api-key": given.apiKey ?? find("admin-api-key") ?? generateApiKey(),
    "metrics-key": given.metricsKey ?? find("metrics-key") ?? generateApiKey(),
    "postgres-password": password("postgres-password"),
    "postgres-owner-password": password("postgres-owner-password"),
    "postgres-app-password": password("postgres-app-password"),
    "redis-password": password("redis-password"),
    "redis-app-password": password("redis-app-password"),
  };
  // DATA_DIR comes first: after a start that ended half way, the next one finds every secret there.
  return [
    ...writeSecretFiles(dataDir, ownerOnly(secrets)),
    ...Object.entries(filesOfReaders(secrets)).flatMap(([reader, files]) =>
      writeSecretFiles(join(readersDir, reader), files).map((name) => `${reader}/${name}`),
    ),
  ];
}

/** The files of each service. */
function filesOfReaders(secrets: Record<SecretName, string>): Record<string, Record<string, SecretFile>> {
  const databaseUrl = (role: string, name: SecretName) => `postgres://${role}:${secrets[name]}@postgres:5432/sluice`;
  const appUrl = databaseUrl("sluice_app", "postgres-app-password");
  const app = {
    "master-key": secrets["master-key"],
    "database-url": appUrl,
    "redis-url": `redis://sluice:${secrets["redis-app-password"]}@redis:6379`,
  };
  return {
    gateway: ownerOnly({
      ...app,
      "admin-api-key": secrets["admin-api-key"],
      "metrics-key": secrets["metrics-key"],
    }),
    worker: ownerOnly(app),
    migrate: ownerOnly({
      "database-admin-url": databaseUrl("sluice", "postgres-password"),
      "database-url": databaseUrl("sluice_migrate", "postgres-owner-password"),
      "database-app-url": appUrl,
    }),
    postgres: ownerOnly({ "postgres-password": secrets["postgres-password"] }),
    redis: {
      // For its check, which runs as root.
      ...ownerOnly({ "redis-password": secrets["redis-password"] }),
      "redis.conf": { content: redisUsers(secrets), mode: ANY_USER.file },
    },
    // It opens the metrics and nothing else.
    prometheus: { "metrics-key": { content: secrets["metrics-key"], mode: ANY_USER.file } },
  };
}

/** The users of Redis: one for people, who may change its settings, and one for gateways and workers. */
function redisUsers(secrets: Record<SecretName, string>): string {
  const hash = (name: SecretName) => createHash("sha256").update(secrets[name]).digest("hex");
  return [
    `user default on #${hash("redis-password")} ~* &* +@all`,
    `user sluice on #${hash("redis-app-password")} ${REDIS_RULES}`,
  ].join("\n");
}

function findFaults(
  given: Record<"masterKey" | "apiKey" | "metricsKey", string | undefined>,
  masterKey: string | undefined,
  copies: string[],
): string[] {
  const faults: string[] = [];
  const held = copies.filter((path) => readSecretFile(path) !== undefined);
  const first = held[0];
  const other = held.find((path) => !isSameKey(readSecretFile(path) ?? "", masterKey ?? ""));
  if (other !== undefined) {
    faults.push(
      `${other} and ${first} hold different master keys. Nothing was changed. ` +
        "Restore the volume that has the key which encrypted the secrets of this relay, and remove the other file.",
    );
  }
  if (given.masterKey !== undefined) {
    if (readMasterKey(given.masterKey) === undefined)
      faults.push("MASTER_KEY must be 32 bytes in base64, as `openssl rand -base64 32` prints.");
    else if (masterKey !== undefined && !isSameKey(given.masterKey, masterKey))
      faults.push(
        `MASTER_KEY is not the key in ${first}, which encrypted the secrets of this relay. ` +
          "Nothing was changed. Remove MASTER_KEY from the environment and from .env, and start again.",
      );
  }
  if (given.apiKey !== undefined && given.apiKey.length < MIN_API_KEY_LENGTH)
    faults.push(`ADMIN_API_KEY must be at least ${MIN_API_KEY_LENGTH} characters.`);
  if (given.metricsKey !== undefined && given.metricsKey.length < MIN_API_KEY_LENGTH)
    faults.push(`METRICS_KEY must be at least ${MIN_API_KEY_LENGTH} characters.`);
  return faults;
}

/** Undefined for an empty file too: a full disk leaves one. Nothing used its secret yet, so a new one may replace it. */
function readSecretFile(path: string): string | undefined {
  return (existsSync(path) && readFileSync(path, "utf8").trim()) || undefined;
}

function ownerOnly(texts: Record<string, string>): Record<string, SecretFile> {
  return Object.fromEntries(Object.entries(texts).map(([name, content]) => [name, { content, mode: OWNER_ONLY.file }]));
}

/** Writes the files that differ. @returns their names. */
function writeSecretFiles(directory: string, files: Record<string, SecretFile>): string[] {
  const isForAny = Object.values(files).some(({ mode }) => mode === ANY_USER.file);
  const directoryMode = (isForAny ? ANY_USER : OWNER_ONLY).directory;
  mkdirSync(directory, { recursive: true });
  if ((statSync(directory).mode & 0o777) !== directoryMode) chmodSync(directory, directoryMode);
  const changed = Object.entries(files).filter(
    ([name, { content }]) => readSecretFile(join(directory, name)) !== content,
  );
  for (const [name, { content, mode }] of changed) {
    // The complete file is renamed into place, so that another service, or the next start, never reads half of a secret.
    const path = join(directory, name);
    writeFileSync(`${path}.new`, `${content}\n`, { mode: 0o600, flush: true });
    chmodSync(`${path}.new`, mode);
    renameSync(`${path}.new`, path);
  }
  return changed.map(([name]) => name);
}

/** Compares the keys and not their texts, because one may be in base64 and the other in hex. */
function isSameKey(given: string, stored: string): boolean {
  if (given === stored) return true;
  const [a, b] = [given, stored].map((text) => readMasterKey(text)?.deriveKey("comparison"));
  return a !== undefined && b !== undefined && a.equals(b);
}
