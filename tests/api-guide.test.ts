// Runs docs/api.md as it is written: one shell runs every `sh` block in order, and each answer on the page is compared
// with the real one.

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, onTestFinished } from "vitest";

import { test } from "./support/relay.ts";
import { until } from "./support/wait.ts";

const GUIDE = new URL("../docs/api.md", import.meta.url);
const EXAMPLE = /^```sh\n(?<script>.*?)^```\n(?:\n```json\n(?<answer>.*?)^```\n)?/gms;
/** Marks the end of a script's output. No answer contains this character. */
const END = "\u0004";

const hasTools = ["bash", "curl", "jq"].every((name) => spawnSync(name, ["--version"]).status === 0);

/** Opens a shell that runs scripts one after the other and keeps the variables that they set. */
function openShell(env: Record<string, string>) {
  const folder = mkdtempSync(join(tmpdir(), "sluice-guide-"));
  const shell = spawn("bash", ["-u"], { cwd: folder, env: { PATH: process.env["PATH"], ...env } });
  let output = "";
  for (const stream of [shell.stdout, shell.stderr]) stream.on("data", (data) => (output += String(data)));
  const run = async (script: string) => {
    output = "";
    shell.stdin.write(`${script}\nprintf '\\004'\n`);
    await until(() => output.endsWith(END) || shell.exitCode !== null, { timeoutMs: 60_000 });
    return output.slice(0, -END.length);
  };
  const close = async () => {
    shell.stdin.end();
    if (shell.exitCode === null) await once(shell, "exit");
    rmSync(folder, { recursive: true });
  };
  return { run, close };
}

/**
 * A matcher for an answer on the page. There "…" stands for any value, inside a text for any text, and as a member's
 * name for any further members.
 */
function toMatcher(shown: unknown): unknown {
  if (shown === "…") return expect.toSatisfy((value) => value !== undefined);
  if (typeof shown === "string") {
    const parts = shown.split("…").map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`));
    return expect.stringMatching(new RegExp(`^${parts.join(".+")}$`, "s"));
  }
  if (Array.isArray(shown)) return shown.includes("…") ? expect.any(Array) : shown.map(toMatcher);
  if (typeof shown !== "object" || shown === null) return shown;
  const { "…": others, ...members } = shown as Record<string, unknown>;
  const matchers = Object.fromEntries(Object.entries(members).map(([name, value]) => [name, toMatcher(value)]));
  return others === undefined ? matchers : expect.objectContaining(matchers);
}

test.skipIf(!hasTools)("every example of docs/api.md does what the page says", async ({ relay, receiver }) => {
  // The service fails until the page retries a delivery by hand.
  let isHealthy = false;
  receiver.answerWith(() => ({ status: isHealthy ? 200 : 503 }));
  const shell = openShell({ API: relay.apiUrl, KEY: relay.apiKey, SERVICE: receiver.url });
  onTestFinished(shell.close);

  const examples = [...readFileSync(GUIDE, "utf8").matchAll(EXAMPLE)].map(({ groups }) => groups ?? {});
  expect(examples.length).toBeGreaterThan(15);
  for (const { script = "", answer } of examples) {
    isHealthy ||= script.includes(":retry");
    const text = await shell.run(script);
    if (answer === undefined) {
      expect(text, script).toBe("");
      continue;
    }
    const matcher = toMatcher(JSON.parse(answer));
    const read = async (again: boolean) => JSON.parse(again ? await shell.run(script) : text) as unknown;
    // A change is made once. A read is repeated, because it may take a while to show the effect of the change before
    // it.
    if (/ -d | -X /.test(script)) expect(await read(false), script).toEqual(matcher);
    else await expect.poll(() => read(true), { timeout: 60_000, message: script }).toEqual(matcher);
  }
});
