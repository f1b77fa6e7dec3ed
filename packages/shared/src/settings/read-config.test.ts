// A setting is read from a file when it is marked as a secret, and only then.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";

import { commonSettings } from "./common.ts";
import { readConfig, secretSetting } from "./read-config.ts";
import { checkRedisCa } from "./redis-settings.ts";
import { Secret } from "./secret.ts";

/** Valid for a hundred years. The key was thrown away. */
const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBgzCCASmgAwIBAgIUBoDNthDlGgB4TMTk9uwMWDSTEdQwCgYIKoZIzj0EAwIw
FjEUMBIGA1UEAwwLc2x1aWNlLXRlc3QwIBcNMjYxMTI5MTQzOTAxWhgPMjEyNjEx
MDUxNDM5MDFaMBYxFDASBgNVBAMMC3NsdWljZS10ZXN0MFkwEwYHKoZIzj0CAQYI
KoZIzj0DAQcDQgAE5DjmquLRlX8yA89rE8iXbUjUODIRbEQaGi+9BdNqOSxoI86l
6aoLXycp4zP29bu5o1joJ4LgkJg4Vd2nL7UBK6NTMFEwHQYDVR0OBBYEFM8+IxDm
Tz/2/EC3arIfvh7sD6CNMB8GA1UdIwQYMBaAFM8+IxDmTz/2/EC3arIfvh7sD6CN
MA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIhAIoW19gBL2wvr9ah
DfbaNVOQEZycI+eRXdvVBztYMi15AiBW5KLypZmcSCC4Oi0w0x7076dxG/hk5seH
HHR9iWmMNA==
-----END CERTIFICATE-----
`;

function writeTestFile(text: string): string {
  const directory = mkdtempSync(join(tmpdir(), "sluice-settings-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const path = join(directory, "value");
  writeFileSync(path, text);
  return path;
}

test("NAME_FILE is read for a secret, and ignored for any other setting", () => {
  const schema = z.object({ MARKED: secretSetting(z.string().optional()), PLAIN: z.string().optional() });
  const path = writeTestFile("from the file\n");
  expect(readConfig(schema, { MARKED_FILE: path, PLAIN_FILE: path })).toEqual({ MARKED: "from the file" });
});

test("a mark that is not the outermost step is not seen", () => {
  const schema = z.object({ MARKED: secretSetting(z.string()).optional() });
  expect(readConfig(schema, { MARKED_FILE: writeTestFile("from the file") })).toEqual({});
});

test("of the common settings, those that are a Secret can come from a file, and no other", () => {
  const given: Record<keyof typeof commonSettings, string> = {
    DATABASE_URL: "postgres://user:hunter2@db.internal/sluice",
    DATABASE_DIRECT_URL: "postgres://user:hunter2@db.internal:5433/sluice",
    DATABASE_PREPARED_STATEMENTS: "off",
    REDIS_URL: "redis://cache.internal:6379",
    REDIS_CA_FILE: writeTestFile(CERTIFICATE),
    REDIS_DURABILITY: "assume",
    REDIS_REPLICAS: "2",
    MASTER_KEY: Buffer.alloc(32, 7).toString("base64"),
    TARGET_ALLOW: "10.0.0.0/8",
    TARGET_DENY: "10.0.0.1",
    TARGET_LOOPBACK: "allow",
    HOST: "10.0.0.2",
    PORT: "9080",
    API_HOST: "10.0.0.3",
    API_PORT: "9081",
    WORKER_HOST: "10.0.0.4",
    WORKER_PORT: "9082",
    GEMINI_API_KEY: "AIzaExample",
    GEMINI_BASE_URL: "http://127.0.0.1:9",
    GEMINI_REQUESTS_PER_HOUR: "7",
    DATA_DIR: "/data",
    LOG_LEVEL: "warn",
  };
  const schema = z.object(commonSettings);
  const expected: Record<string, unknown> = readConfig(schema, given);
  for (const [name, text] of Object.entries(given)) {
    const { [name as "LOG_LEVEL"]: _, ...others } = given;
    const read = () => readConfig(schema, { ...others, [`${name}_FILE`]: writeTestFile(text) }) as typeof expected;
    if (expected[name] instanceof Secret) expect(read()[name]).toEqual(expected[name]);
    else expect(read()[name]).not.toEqual(expected[name]);
  }
  const secrets = Object.keys(given).filter((name) => expected[name] instanceof Secret);
  expect(secrets).toEqual(["DATABASE_URL", "DATABASE_DIRECT_URL", "REDIS_URL", "MASTER_KEY", "GEMINI_API_KEY"]);
});

test("REDIS_CA_FILE is read at the start, and is refused when it cannot serve", () => {
  const schema = z.object(commonSettings).check(checkRedisCa);
  const common = { DATABASE_URL: "postgres://db/sluice", REDIS_URL: "rediss://cache" };
  const read = (env: object) => readConfig(schema, { ...common, ...env });
  const path = writeTestFile(CERTIFICATE + CERTIFICATE);
  expect(read({ REDIS_CA_FILE: path }).REDIS_CA_FILE).toBe(CERTIFICATE + CERTIFICATE);
  expect(read({}).REDIS_CA_FILE).toBeUndefined();
  const plain = { REDIS_CA_FILE: path, REDIS_URL: "redis://cache" };
  expect(() => read(plain)).toThrow(/REDIS_CA_FILE is set, and REDIS_URL does not use TLS/);
  const { REDIS_URL: _, ...none } = { ...plain };
  expect(() => readConfig(schema, { DATABASE_URL: common.DATABASE_URL, ...none })).toThrow(/REDIS_CA_FILE is set/);
  expect(() => read({ REDIS_CA_FILE: "/nowhere" })).toThrow(/REDIS_CA_FILE names a file .*ENOENT.*: \/nowhere/);
  const broken = writeTestFile(CERTIFICATE.replace("MIIB", "AAAA"));
  expect(() => read({ REDIS_CA_FILE: broken })).toThrow(/REDIS_CA_FILE names a file that cannot be read/);
  expect(() => read({ REDIS_CA_FILE: writeTestFile("key") })).toThrow(/REDIS_CA_FILE names a file without a cert/);
});
