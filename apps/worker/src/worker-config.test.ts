// The worker's environment: its defaults, and the settings that it reads as the gateway does.

import { readConfig } from "@sluice/shared/settings/read-config";
import { expect, test } from "vitest";

import { workerConfig } from "./worker-config.ts";

const DATABASE_URL = "postgres://sluice:hunter2hunter2@db:5432/sluice";

test("the one required variable is enough, and the rest has its defaults", () => {
  expect(readConfig(workerConfig, { DATABASE_URL })).toMatchObject({
    RETENTION_DAYS: 30,
    AUDIT_RETENTION_DAYS: 365,
    TARGET_LOOPBACK: "deny",
    // Where the gateway listens, because no target may be there.
    HOST: "0.0.0.0",
    PORT: 8080,
    API_HOST: "127.0.0.1",
    API_PORT: 8081,
    WORKER_PORT: 8082,
    TARGET_CONNECTION_SECONDS: 60,
    TARGET_FAILING_AFTER_SECONDS: 60,
    SOURCE_FAILING_REFUSALS: 10,
    RELAY_DEGRADED_AFTER_SECONDS: 60,
  });
});

const readApiUrl = (API_URL: string) => readConfig(workerConfig, { DATABASE_URL, API_URL }).API_URL;

test("API_URL is read so that a path can follow, and a URL that takes none is refused by its name", () => {
  expect(readApiUrl("http://sluice.internal:8081/")).toBe("http://sluice.internal:8081");
  for (const wrong of ["sluice.internal", "ftp://sluice", "https://sluice/?a=1", "https://key@sluice"])
    expect(() => readApiUrl(wrong)).toThrow(/API_URL must be an http or https URL/);
});

test("TARGET_ALLOW and TARGET_DENY are read, and are empty when not given", () => {
  expect(readConfig(workerConfig, { DATABASE_URL, TARGET_ALLOW: "" })).toMatchObject({
    TARGET_ALLOW: [],
    TARGET_DENY: [],
  });
  const config = readConfig(workerConfig, {
    DATABASE_URL,
    TARGET_ALLOW: "10.0.0.0/8",
    TARGET_DENY: "*.internal,::1",
  });
  expect(config.TARGET_ALLOW).toHaveLength(1);
  expect(config.TARGET_DENY).toHaveLength(2);
});

const readCaFile = (path: string) => readConfig(workerConfig, { DATABASE_URL, TARGET_CA_FILE: path });

test("a wrong TARGET_CA_FILE is refused by its name", () => {
  expect(() => readCaFile("/nowhere")).toThrow(/TARGET_CA_FILE names a file .*ENOENT.*: \/nowhere/);
  expect(() => readCaFile(import.meta.filename)).toThrow(/TARGET_CA_FILE names a file without a certificate in PEM/);
});
