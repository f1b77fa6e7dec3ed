import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { test as base, describe, expect } from "vitest";

import { makeSecrets } from "./make-secrets.ts";

// oxlint-disable-next-line no-empty-pattern -- vitest reads the dependencies of a fixture from this pattern.
const test = base.extend("dataDir", async ({}, { onCleanup }) => {
  const dataDir = mkdtempSync(join(tmpdir(), "sluice-secrets-"));
  onCleanup(() => rmSync(dataDir, { recursive: true }));
  return dataDir;
});

const FILES = ["admin-api-key", "database-url", "master-key", "postgres-password"];
const API_KEY = "an-api-key-of-this-test-0123456789";

const readAll = (dataDir: string) =>
  Object.fromEntries(readdirSync(dataDir).map((name) => [name, readFileSync(join(dataDir, name), "utf8").trim()]));

describe("the secrets of the compose file", () => {
  test("are made once, complete, and readable only for their owner", ({ dataDir }) => {
    expect(makeSecrets(dataDir, {}).toSorted()).toEqual(FILES);
    const made = readAll(dataDir);
    expect(Object.keys(made).toSorted()).toEqual(FILES);
    expect(made["database-url"]).toBe(`postgres://sluice:${made["postgres-password"]}@postgres:5432/sluice`);
    for (const name of FILES) expect(statSync(join(dataDir, name)).mode & 0o777).toBe(0o600);
    expect(makeSecrets(dataDir, { MASTER_KEY: "", ADMIN_API_KEY: "" })).toEqual([]);
    expect(readAll(dataDir)).toEqual(made);
  });

  test("come from the environment if it gives them and no file exists yet", ({ dataDir }) => {
    const key = randomBytes(32).toString("base64");
    makeSecrets(dataDir, { MASTER_KEY: key, ADMIN_API_KEY: API_KEY });
    expect(readAll(dataDir)).toMatchObject({ "master-key": key, "admin-api-key": API_KEY });
  });

  test("a master key that differs from the one in use is refused, and nothing changes", ({ dataDir }) => {
    makeSecrets(dataDir, {});
    const made = readAll(dataDir);
    const env = { MASTER_KEY: randomBytes(32).toString("base64"), ADMIN_API_KEY: API_KEY };
    expect(() => makeSecrets(dataDir, env)).toThrow("MASTER_KEY is not the key in");
    expect(readAll(dataDir)).toEqual(made);
  });

  test("a file that does not hold a master key is not replaced", ({ dataDir }) => {
    writeFileSync(join(dataDir, "master-key"), "something else\n");
    expect(() => makeSecrets(dataDir, { MASTER_KEY: randomBytes(32).toString("base64") })).toThrow("MASTER_KEY");
    expect(readAll(dataDir)).toEqual({ "master-key": "something else" });
  });

  test("the master key in use is accepted in either notation, and its file does not change", ({ dataDir }) => {
    const key = randomBytes(32);
    makeSecrets(dataDir, { MASTER_KEY: key.toString("base64") });
    for (const text of [key.toString("base64"), ` ${key.toString("base64")}\n`, key.toString("hex")]) {
      expect(makeSecrets(dataDir, { MASTER_KEY: text })).toEqual([]);
    }
  });

  test("a given API key replaces the earlier one", ({ dataDir }) => {
    makeSecrets(dataDir, {});
    expect(makeSecrets(dataDir, { ADMIN_API_KEY: API_KEY })).toEqual(["admin-api-key"]);
    expect(readAll(dataDir)["admin-api-key"]).toBe(API_KEY);
    expect(makeSecrets(dataDir, {})).toEqual([]);
  });

  test("every secret that is not valid is named in one error, and nothing is written", ({ dataDir }) => {
    expect(() => makeSecrets(dataDir, { MASTER_KEY: "a passphrase", ADMIN_API_KEY: "short" })).toThrow(
      /^MASTER_KEY must be 32 bytes .*\nADMIN_API_KEY must be at least 32 characters\.$/,
    );
    expect(readAll(dataDir)).toEqual({});
  });

  test("the URL of the database follows the password, even after a start that ended between the two", ({ dataDir }) => {
    makeSecrets(dataDir, {});
    const made = readAll(dataDir);
    rmSync(join(dataDir, "database-url"));
    expect(makeSecrets(dataDir, {})).toEqual(["database-url"]);
    writeFileSync(join(dataDir, "database-url"), "postgres://sluice:other@postgres:5432/sluice\n");
    expect(makeSecrets(dataDir, {})).toEqual(["database-url"]);
    expect(readAll(dataDir)).toEqual(made);
  });
});
