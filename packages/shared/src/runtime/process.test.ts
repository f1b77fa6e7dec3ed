// An app as a process, seen from outside.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

import { expect, onTestFinished, test } from "vitest";

const runApp = pathToFileURL(join(import.meta.dirname, "process.ts")).href;

test("the compiled code of an app is kept for its next start, also when the app is killed", async () => {
  const directory = mkdtempSync(join(tmpdir(), "sluice-process-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const [entry, cache] = [join(directory, "main.mjs"), join(directory, "cache")];
  writeFileSync(
    entry,
    `import { runApp } from ${JSON.stringify(runApp)};
     await runApp(async () => ({ stop: async () => {} }), { info: () => {} });
     process.send("runs");
     setInterval(() => {}, 1_000);`,
  );
  const app = spawn(process.execPath, [entry], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    env: { ...process.env, NODE_COMPILE_CACHE: cache },
  });
  onTestFinished(() => void app.kill("SIGKILL"));
  await once(app, "message");
  app.kill("SIGKILL");
  expect(await once(app, "exit")).toEqual([null, "SIGKILL"]);
  expect(readdirSync(cache, { recursive: true, withFileTypes: true }).filter((one) => one.isFile())).not.toEqual([]);
});
