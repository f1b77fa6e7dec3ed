// The settings with which `npm start` starts the apps.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, onTestFinished, test } from "vitest";

import { readRelaySettings } from "./settings.ts";

async function read(environment: NodeJS.ProcessEnv) {
  const dataDir = mkdtempSync(join(tmpdir(), "sluice-settings-"));
  onTestFinished(() => rmSync(dataDir, { recursive: true }));
  const ports = { HOST: "127.0.0.1", PORT: "0", API_PORT: "0", WORKER_PORT: "0" };
  return (await readRelaySettings(dataDir, { ...ports, ...environment })).env;
}

test("targets may be on this machine, unless the environment says otherwise, and key sets may not", async () => {
  expect(await read({})).toMatchObject({ TARGET_LOOPBACK: "allow" });
  expect(await read({ TARGET_LOOPBACK: "" })).toMatchObject({ TARGET_LOOPBACK: "allow" });
  expect(await read({ TARGET_LOOPBACK: "deny" })).toMatchObject({ TARGET_LOOPBACK: "deny" });
  expect(await read({})).not.toHaveProperty("JWKS_LOOPBACK");
});

test("both apps know the ports of the relay, so that no target is there", async () => {
  const env = await read({});
  for (const name of ["PORT", "API_PORT", "WORKER_PORT"]) expect(Number(env[name])).toBeGreaterThan(0);
});
