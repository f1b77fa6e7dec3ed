// The key file is complete as soon as it exists, also when several processes start at once.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, onTestFinished, test } from "vitest";

import { readOrCreateMasterKey } from "./master-key-file.ts";

function makeDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "sluice-key-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  return join(directory, "data");
}

test("the file is made once, only its owner may read it, and nothing else is left beside it", () => {
  const directory = makeDirectory();
  const made = readOrCreateMasterKey(directory);
  expect(readOrCreateMasterKey(directory)).toEqual(made);
  expect(readdirSync(directory)).toEqual(["master-key"]);
  expect(statSync(join(directory, "master-key")).mode & 0o777).toBe(0o600);
});

test("the file never exists without its content", async () => {
  const directory = makeDirectory();
  // The reader is a process of its own and looks without a pause.
  const reader = `
    const { readFileSync } = await import("node:fs");
    process.send("ready");
    for (const end = Date.now() + 50_000; Date.now() < end; ) {
      try {
        const { length } = readFileSync(process.argv[1], "utf8");
        process.exit(length === 45 ? 0 : 1);
      } catch {}
    }
    process.exit(2);`;
  for (let round = 0; round < 5; round++) {
    const path = join(directory, String(round), "master-key");
    const child = spawn(process.execPath, ["--input-type=module", "-e", reader, path], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    await once(child, "message");
    readOrCreateMasterKey(join(directory, String(round)));
    const [code] = (await once(child, "exit")) as [number | null];
    expect(code).toBe(0);
  }
});
