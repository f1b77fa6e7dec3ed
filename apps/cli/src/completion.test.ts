// The completion works in a real bash, and knows every command.

import { spawnSync } from "node:child_process";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";

import { describe, expect, test } from "vitest";

import { runCli } from "./run-cli.ts";

async function complete(shell: string) {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  const code = await runCli(["completion", shell], { env: {}, directory: "/", stdin, stdout, stderr });
  return { code, out: await text(stdout.end()) };
}

const hasShell = (shell: string) => spawnSync(shell, ["--version"]).status === 0;

describe.skipIf(!hasShell("bash"))("bash", () => {
  test.for([
    [["targets", "upd"], ["update"]],
    [["ev"], ["events"]],
    [["targets", "update", "billing", "--retry-b"], ["--retry-base-seconds"]],
    [["sources", "token", "re"], ["revoke"]],
  ] as const)("completes %j", async ([words, expected]) => {
    const { out } = await complete("bash");
    const script = `${out}\nCOMP_WORDS=(sluice ${words.join(" ")}); COMP_CWORD=${words.length}; _sluice; echo "\${COMPREPLY[@]}"`;
    const { stdout, stderr } = spawnSync("bash", ["--norc"], { input: script, encoding: "utf8" });
    expect([stdout.trim(), stderr]).toEqual([expected.join(" "), ""]);
  });
});

test.for(["zsh", "fish"])("%s gets its script, which the shell takes", async (shell) => {
  const { code, out } = await complete(shell);
  expect(code).toBe(0);
  expect(out).toContain("deliveries");
  if (hasShell(shell))
    expect(spawnSync(shell, ["--no-execute"], { input: out, encoding: "utf8" })).toMatchObject({ status: 0 });
});

test("another shell is a mistake", async () => {
  expect(await complete("tcsh")).toEqual({ code: 2, out: "" });
});
