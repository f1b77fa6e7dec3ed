// The commands of the runbooks, typed as they stand there, around an `npm start`: back up, restore into an empty
// directory, another master key, a lost one.

import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { expect, onTestFinished, test } from "vitest";

import { readDocumentedCommands } from "../tests/support/documented-commands.ts";
import { until } from "../tests/support/wait.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
/** The test starts the relay itself, and stops it. */
const START = "npm start";
const SLUICE = "npm run -s sluice --";

function readCommands(runbook: string, name: string): string {
  return readDocumentedCommands(`runbooks/${runbook}`, name)
    .split("\n")
    .filter((line) => line !== START)
    .join("\n");
}

/** An empty directory that stands for the clone. */
function openClone() {
  const directory = mkdtempSync(join(tmpdir(), "sluice-runbooks-"));
  chmodSync(directory, 0o711);
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const dataDir = join(directory, ".data");
  const env = {
    PATH: process.env["PATH"],
    HOME: process.env["HOME"],
    DATA_DIR: dataDir,
    INIT_CWD: directory,
    PORT: "0",
    API_PORT: "0",
    WORKER_PORT: "0",
  };
  const play = (runbook: string, name: string) => {
    const script = readCommands(runbook, name).replaceAll(
      SLUICE,
      `"${process.execPath}" "${join(ROOT, "scripts", "sluice.ts")}"`,
    );
    return promisify(execFile)("bash", ["-euo", "pipefail", "-c", script], { cwd: directory, env });
  };
  const start = async () => {
    const child = spawn(process.execPath, [join(ROOT, "scripts", "start.ts")], {
      env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const closed = once(child, "close");
    const lines: string[] = [];
    for (const input of [child.stdout, child.stderr]) createInterface({ input }).on("line", (line) => lines.push(line));
    const stop = async () => {
      child.kill("SIGTERM");
      await closed;
    };
    onTestFinished(stop);
    await until(() => lines, {
      accept: () => {
        if (child.exitCode !== null) throw new Error(lines.join("\n"));
        return lines.some((line) => line.includes("The relay is running"));
      },
      what: "the relay",
    });
    const { apiUrl } = JSON.parse(readFileSync(join(dataDir, "relay.json"), "utf8")) as { apiUrl: string };
    const call = async (method: string, path: string) => {
      const authorization = `Bearer ${readFileSync(join(dataDir, "admin-api-key"), "utf8").trim()}`;
      const answer = await fetch(apiUrl + path, { method, headers: { authorization } });
      return { status: answer.status, body: (await answer.json()) as { data: { state?: string }[] } };
    };
    return { call, stop };
  };
  return { dataDir, play, start };
}

test("the runbooks for npm start lead where they say", async () => {
  const { dataDir, play, start } = openClone();
  const first = await start();
  // The first start sends an event.
  const { body: events } = await first.call("GET", "/v1/events");
  expect(events.data.length).toBeGreaterThan(0);
  const backup = await play("backup", "backup");
  expect(backup.stderr).toContain("Backed up");
  expect(backup.stderr).toContain("The backup is whole");
  expect((await play("lost-admin-key", "admin-key")).stdout.trim().length).toBeGreaterThan(30);
  await first.stop();

  const restore = await play("restore", "restore");
  expect(restore.stderr).toContain("Start the gateway and the worker");
  const rekey = await play("leaked-secret", "rekey");
  expect(rekey.stderr).toContain("are encrypted with the new master key now");
  // As the runbook says for those who keep their key. The proof of a first start would send one more event.
  for (const name of ["admin-api-key", "first-proof"]) copyFileSync(join(`${dataDir}.old`, name), join(dataDir, name));
  const second = await start();
  expect((await second.call("GET", "/v1/events")).body).toEqual(events);
  const { body: targets } = await second.call("GET", "/v1/targets");
  await second.stop();

  writeFileSync(join(dataDir, "master-key"), `${Buffer.alloc(32, 9).toString("base64")}\n`);
  await expect(start()).rejects.toThrow(/One of the two is wrong/);
  const lost = await play("lost-master-key", "lost");
  expect(lost.stderr).toContain("secrets are lost");
  const third = await start();
  const listed = await third.call("GET", "/v1/targets");
  expect(listed.body.data).toHaveLength(targets.data.length);
  for (const target of listed.body.data) expect(target.state).toBe("paused");
});
