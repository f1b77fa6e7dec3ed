import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { test as base, describe, expect } from "vitest";

import { makeSecrets } from "./make-secrets.ts";

/** Whether the file is readable for everybody in its volume. */
const isForAny = (reader: string, name = "redis.conf") =>
  reader === "prometheus" || (reader === "redis" && name === "redis.conf");

/** The volumes of the compose file. */
interface Volumes {
  /** The one that only the service `secrets` mounts. */
  dataDir: string;
  /** Has a directory for each other service. */
  readersDir: string;
}

// oxlint-disable-next-line no-empty-pattern -- vitest reads the dependencies of a fixture from this pattern.
const test = base.extend("volumes", async ({}, { onCleanup }): Promise<Volumes> => {
  const root = mkdtempSync(join(tmpdir(), "sluice-secrets-"));
  onCleanup(() => rmSync(root, { recursive: true }));
  const volumes = { dataDir: join(root, "data"), readersDir: join(root, "readers") };
  mkdirSync(volumes.dataDir, { mode: 0o700 });
  return volumes;
});

const SECRETS = [
  "admin-api-key",
  "master-key",
  "metrics-key",
  "postgres-app-password",
  "postgres-owner-password",
  "postgres-password",
  "redis-app-password",
  "redis-password",
];
const READERS = {
  gateway: ["admin-api-key", "database-url", "master-key", "metrics-key", "redis-url"],
  worker: ["database-url", "master-key", "redis-url"],
  migrate: ["database-admin-url", "database-app-url", "database-url"],
  postgres: ["postgres-password"],
  redis: ["redis-password", "redis.conf"],
  prometheus: ["metrics-key"],
};
const API_KEY = "an-api-key-of-this-test-0123456789";

const readFiles = (directory: string) =>
  Object.fromEntries(readdirSync(directory).map((name) => [name, readFileSync(join(directory, name), "utf8").trim()]));
const readVault = ({ dataDir }: Volumes) => readFiles(dataDir);
const readReader = ({ readersDir }: Volumes, reader: keyof typeof READERS) => readFiles(join(readersDir, reader));
const readAll = (volumes: Volumes) => [
  readVault(volumes),
  ...(Object.keys(READERS) as (keyof typeof READERS)[]).map((reader) => readReader(volumes, reader)),
];
const modeOf = (...path: string[]) => statSync(join(...path)).mode & 0o777;

/** The volume `sluice` as the version before the volumes of the services left it. */
function makeOldVolume({ dataDir }: Volumes) {
  const old = {
    "master-key": randomBytes(32).toString("base64"),
    "admin-api-key": "sk_the_admin_key_of_an_older_version",
    "postgres-password": randomBytes(24).toString("hex"),
  };
  const databaseUrl = `postgres://sluice:${old["postgres-password"]}@postgres:5432/sluice`;
  for (const [name, text] of Object.entries({ ...old, "database-url": databaseUrl })) {
    writeFileSync(join(dataDir, name), `${text}\n`, { mode: 0o600 });
  }
  return old;
}

describe("the secrets of the compose file", () => {
  test("are made once, and each service gets what it needs and nothing else", ({ volumes }) => {
    const written = makeSecrets(volumes, {});
    const inReaders = Object.entries(READERS).flatMap(([reader, names]) => names.map((name) => `${reader}/${name}`));
    expect(written.toSorted()).toEqual([...SECRETS, ...inReaders].toSorted());
    const made = readVault(volumes);
    expect(Object.keys(made).toSorted()).toEqual(SECRETS);
    for (const [reader, names] of Object.entries(READERS)) {
      expect(readdirSync(join(volumes.readersDir, reader)).toSorted(), reader).toEqual(names);
    }
    const appUrl = `postgres://sluice_app:${made["postgres-app-password"]}@postgres:5432/sluice`;
    const redisUrl = `redis://sluice:${made["redis-app-password"]}@redis:6379`;
    const app = { "database-url": appUrl, "redis-url": redisUrl, "master-key": made["master-key"] };
    expect(readReader(volumes, "worker")).toEqual(app);
    expect(readReader(volumes, "gateway")).toEqual({
      ...app,
      "admin-api-key": made["admin-api-key"],
      "metrics-key": made["metrics-key"],
    });
    expect(readReader(volumes, "prometheus")).toEqual({ "metrics-key": made["metrics-key"] });
    expect(readReader(volumes, "migrate")).toEqual({
      "database-admin-url": `postgres://sluice:${made["postgres-password"]}@postgres:5432/sluice`,
      "database-url": `postgres://sluice_migrate:${made["postgres-owner-password"]}@postgres:5432/sluice`,
      "database-app-url": appUrl,
    });
    expect(makeSecrets(volumes, { MASTER_KEY: "", ADMIN_API_KEY: "", METRICS_KEY: "" })).toEqual([]);
    expect(readVault(volumes)).toEqual(made);
  });

  test("are in no volume of a service that does not need them", ({ volumes }) => {
    makeSecrets(volumes, {});
    const secrets = readVault(volumes);
    const holders = (secret: string) =>
      (Object.keys(READERS) as (keyof typeof READERS)[]).filter((reader) =>
        Object.values(readReader(volumes, reader)).join().includes(secret),
      );
    expect(Object.fromEntries(Object.entries(secrets).map(([name, text]) => [name, holders(text)]))).toEqual({
      "admin-api-key": ["gateway"],
      "master-key": ["gateway", "worker"],
      "metrics-key": ["gateway", "prometheus"],
      "postgres-app-password": ["gateway", "worker", "migrate"],
      "postgres-owner-password": ["migrate"],
      "postgres-password": ["migrate", "postgres"],
      "redis-app-password": ["gateway", "worker"],
      "redis-password": ["redis"],
    });
  });

  test("are readable only for their owner, but for the key of Prometheus and the hashes of Redis", ({ volumes }) => {
    makeSecrets(volumes, {});
    for (const name of SECRETS) expect(modeOf(volumes.dataDir, name)).toBe(0o600);
    for (const [reader, names] of Object.entries(READERS)) {
      expect(modeOf(volumes.readersDir, reader), reader).toBe(isForAny(reader) ? 0o711 : 0o700);
      for (const name of names) {
        expect(modeOf(volumes.readersDir, reader, name), name).toBe(isForAny(reader, name) ? 0o644 : 0o600);
      }
    }
    const { "redis-password": password = "", "redis-app-password": appPassword = "" } = readVault(volumes);
    const configuration = readReader(volumes, "redis")["redis.conf"];
    expect(configuration).toMatch(/^user default on #[0-9a-f]{64} .*\nuser sluice on #[0-9a-f]{64} [^\n]*$/);
    for (const secret of [password, appPassword]) expect(configuration).not.toContain(secret);
  });

  test("of an older version, which had one volume, are carried over", ({ volumes }) => {
    const old = makeOldVolume(volumes);
    makeSecrets(volumes, {});
    expect(readVault(volumes)).toMatchObject(old);
    expect(readReader(volumes, "gateway")).toMatchObject({
      "master-key": old["master-key"],
      "admin-api-key": old["admin-api-key"],
    });
    expect(readReader(volumes, "worker")).toMatchObject({ "master-key": old["master-key"] });
    expect(readReader(volumes, "postgres")).toEqual({ "postgres-password": old["postgres-password"] });
    expect(readReader(volumes, "migrate")["database-admin-url"]).toBe(
      `postgres://sluice:${old["postgres-password"]}@postgres:5432/sluice`,
    );
    expect(makeSecrets(volumes, {})).toEqual([]);
  });

  test("come from the environment if it gives them and no file exists yet", ({ volumes }) => {
    const key = randomBytes(32).toString("base64");
    makeSecrets(volumes, { MASTER_KEY: key, ADMIN_API_KEY: API_KEY });
    expect(readVault(volumes)).toMatchObject({ "master-key": key, "admin-api-key": API_KEY });
    expect(readReader(volumes, "gateway")).toMatchObject({ "master-key": key, "admin-api-key": API_KEY });
  });

  test("a master key that differs from the one in use is refused, and nothing changes", ({ volumes }) => {
    makeSecrets(volumes, {});
    const made = readAll(volumes);
    const env = { MASTER_KEY: randomBytes(32).toString("base64"), ADMIN_API_KEY: API_KEY };
    expect(() => makeSecrets(volumes, env)).toThrow("MASTER_KEY is not the key in");
    expect(readAll(volumes)).toEqual(made);
  });

  test("a file that does not hold a master key is not replaced", ({ volumes }) => {
    writeFileSync(join(volumes.dataDir, "master-key"), "something else\n");
    expect(() => makeSecrets(volumes, { MASTER_KEY: randomBytes(32).toString("base64") })).toThrow("MASTER_KEY");
    expect(readVault(volumes)).toEqual({ "master-key": "something else" });
  });

  test("the master key in use is accepted in either notation, and its file does not change", ({ volumes }) => {
    const key = randomBytes(32);
    makeSecrets(volumes, { MASTER_KEY: key.toString("base64") });
    for (const text of [key.toString("base64"), ` ${key.toString("base64")}\n`, key.toString("hex")]) {
      expect(makeSecrets(volumes, { MASTER_KEY: text })).toEqual([]);
    }
  });

  test("a given API key replaces the earlier one, also for the gateway", ({ volumes }) => {
    makeSecrets(volumes, {});
    expect(makeSecrets(volumes, { ADMIN_API_KEY: API_KEY })).toEqual(["admin-api-key", "gateway/admin-api-key"]);
    expect(readReader(volumes, "gateway")["admin-api-key"]).toBe(API_KEY);
    expect(makeSecrets(volumes, {})).toEqual([]);
  });

  test("every secret that is not valid is named in one error, and nothing is written", ({ volumes }) => {
    expect(() => makeSecrets(volumes, { MASTER_KEY: "a passphrase", ADMIN_API_KEY: "short" })).toThrow(
      /^MASTER_KEY must be 32 bytes .*\nADMIN_API_KEY must be at least 32 characters\.$/,
    );
    expect(readVault(volumes)).toEqual({});
  });

  test("what a start left that ended half way is completed by the next", ({ volumes }) => {
    makeSecrets(volumes, {});
    const made = readAll(volumes);
    rmSync(join(volumes.readersDir, "worker", "database-url"));
    writeFileSync(
      join(volumes.readersDir, "gateway", "database-url"),
      "postgres://sluice:other@postgres:5432/sluice\n",
    );
    writeFileSync(join(volumes.dataDir, "redis-password"), "");
    expect(makeSecrets(volumes, {})).toEqual(["redis-password", "gateway/database-url", "worker/database-url"]);
    expect(readAll(volumes)).toEqual(made);
  });

  test("a lost volume of the secrets gets back what the services still have", ({ volumes }) => {
    makeSecrets(volumes, {});
    const made = readVault(volumes);
    for (const name of SECRETS) rmSync(join(volumes.dataDir, name));
    makeSecrets(volumes, {});
    const kept = ["master-key", "admin-api-key", "postgres-password", "redis-password"];
    const pick = (all: Record<string, string>) => Object.fromEntries(kept.map((name) => [name, all[name]]));
    expect(pick(readVault(volumes))).toEqual(pick(made));
  });

  test("two different master keys are refused, and nothing changes", ({ volumes }) => {
    makeSecrets(volumes, {});
    writeFileSync(join(volumes.dataDir, "master-key"), `${randomBytes(32).toString("base64")}\n`);
    const made = readAll(volumes);
    expect(() => makeSecrets(volumes, {})).toThrow(/worker.master-key|gateway.master-key/);
    expect(readAll(volumes)).toEqual(made);
  });
});
