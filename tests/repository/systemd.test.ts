// The units of systemd run what a bundle has, stop as gently as the processes need, and are confined.

import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { describe, expect, onTestFinished, test } from "vitest";

import { findMissingTool } from "../support/installed.ts";

const FOLDER = fileURLToPath(new URL("../../deploy/systemd", import.meta.url));
const UNITS = readdirSync(FOLDER).filter((name) => name.endsWith(".service"));
const read = (unit: string) => readFileSync(join(FOLDER, unit), "utf8");
/** Of 100, by systemd: below 20 is "OK" in its words. */
const MOST_EXPOSED = 20;
const hasAnalyze = findMissingTool(["systemd-analyze"]) === undefined;

test("there is a unit for each process", () => {
  expect(UNITS.toSorted()).toEqual(["sluice-gateway.service", "sluice-migrate.service", "sluice-worker@.service"]);
});

test.for(UNITS)("%s runs a file of the bundles, and has only its own secrets", (unit) => {
  const text = read(unit);
  const process = /^sluice-([a-z]+)/.exec(unit)?.[1] ?? "";
  expect(text).toMatch(new RegExp(`^ExecStart=/usr/bin/node ${process}\\.mjs$`, "m"));
  const bundler = readFileSync(new URL("../../scripts/bundle.ts", import.meta.url), "utf8");
  expect(bundler).toMatch(new RegExp(`^  ${process}: `, "m"));
  const credentials = [...text.matchAll(/^LoadCredential=([a-z-]+):\/etc\/sluice\/\1$/gm)].map(([, name]) => name);
  const own = { gateway: ["database-url", "master-key", "admin-api-key"], worker: ["database-url", "master-key"] };
  expect(credentials).toEqual(own[process as keyof typeof own] ?? ["database-url"]);
  for (const name of credentials) expect(text).toContain(`${name?.toUpperCase().replaceAll("-", "_")}_FILE=%d/${name}`);
});

test("a process has the time that it needs to stop", () => {
  expect(read("sluice-gateway.service")).toMatch(/^TimeoutStopSec=20$/m);
  expect(read("sluice-worker@.service")).toMatch(/^TimeoutStopSec=45$/m);
});

describe.skipIf(!hasAnalyze)(`with systemd-analyze${hasAnalyze ? "" : " (not installed)"}`, () => {
  test("systemd has no complaint", () => {
    const { status, stdout, stderr } = spawnSync("systemd-analyze", ["verify", "--man=no", ...copyUnits()], {
      encoding: "utf8",
    });
    const complaints = `${stdout}${stderr}`.split("\n").filter((line) => line.includes("sluice-"));
    expect({ status, complaints }).toEqual({ status: 0, complaints: [] });
  });

  test("a unit is confined", () => {
    for (const path of copyUnits()) {
      const words = ["security", "--offline=true", `--threshold=${MOST_EXPOSED}`, "--no-pager", path];
      expect(() => execFileSync("systemd-analyze", words, { stdio: "pipe" })).not.toThrow();
    }
  });
});

/** The units with a Node that this machine has, and with the folder of the bundles left out. */
function copyUnits(): string[] {
  const directory = mkdtempSync(join(tmpdir(), "sluice-systemd-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return UNITS.map((unit) => {
    const path = join(directory, unit.replace("@.", "@8082."));
    writeFileSync(path, read(unit).replace("/usr/bin/node", process.execPath));
    return path;
  });
}
