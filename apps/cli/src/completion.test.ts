// The completion works in real shells, and knows every command.

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";

import { describe, expect, onTestFinished, test } from "vitest";

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
    [["deliveries", "list", "--status", "p"], ["pending"]],
    [["jobs", "--status", "over"], ["overdue"]],
    [["listen", "--on-failure", "h"], ["hold"]],
    [["--color", "al"], ["always"]],
    [["completion", "f"], ["fish"]],
    [["trigger", "video"], ["video.generated"]],
    [["targets", "update", "billing", "--name", "--ur"], []],
  ] as const)("completes %j", async ([words, expected]) => {
    const { out } = await complete("bash");
    const script = `${out}\nCOMP_WORDS=(sluice ${words.join(" ")}); COMP_CWORD=${words.length}; _sluice; echo "\${COMPREPLY[@]}"`;
    const { stdout, stderr } = spawnSync("bash", ["--norc"], { input: script, encoding: "utf8" });
    expect([stdout.trim(), stderr]).toEqual([expected.join(" "), ""]);
  });
});

const CASES = [
  ["sluice targets upd", "update"],
  ["sluice targets update billing --retry-b", "--retry-base-seconds"],
  ["sluice targets --subscribed", undefined],
  ["sluice events --lim", "--limit"],
  ["sluice sources token re", "revoke"],
  ["sluice doctor --bun", "--bundle"],
  ["sluice deliveries list --status pend", "pending"],
  ["sluice listen --on-failure ho", "hold"],
  ["sluice completion fi", "fish"],
  ["sluice trigger video", "video.generated"],
] as const;

/** @returns the path of the script of a shell. */
async function writeScript(shell: string): Promise<string> {
  const { code, out } = await complete(shell);
  expect(code).toBe(0);
  const directory = mkdtempSync(join(tmpdir(), "sluice-completion-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  writeFileSync(join(directory, "script"), out);
  return join(directory, "script");
}

describe.skipIf(!hasShell("fish"))("fish", () => {
  test.for(CASES)("completes %j", async ([line, expected]) => {
    const script = `source ${await writeScript("fish")}; complete -C '${line}'`;
    const { stdout, stderr } = spawnSync("fish", ["--no-config", "-c", script], { encoding: "utf8" });
    expect([stdout.split("\t")[0]?.trim(), stderr]).toEqual([expected ?? "", ""]);
  });
});

/** Types a line and Tab into a real zsh, and prints what it became. */
const TYPE_IN_ZSH = `
zmodload zsh/zpty
zpty shell 'zsh -f -i'
zpty -w shell "PROMPT= ; autoload -Uz compinit; compinit -u -d $2; source $1"
zpty -w shell 'show() { print -r -- "<<$BUFFER>>" }; zle -N show; bindkey "^X" show; print RE""ADY'
zpty -r shell output '*READY*'
zpty -n -w shell "$3"$'\\t\\x18'
zpty -r shell output '*<<*>>*'
print -r -- "$output"
zpty -d shell
`;

describe.skipIf(!hasShell("zsh"))("zsh", () => {
  test.for(CASES)("completes %j", async ([line, expected]) => {
    const script = await writeScript("zsh");
    const args = ["-f", "-c", TYPE_IN_ZSH, "zsh", script, `${script}.dump`, line];
    const { stdout, stderr } = spawnSync("zsh", args, { encoding: "utf8", timeout: 30_000 });
    expect(stderr).toBe("");
    const became = /<<(.*?)>>/s.exec(stdout)?.[1]?.trim();
    expect(became).toBe(expected === undefined ? line : line.replace(/\S+$/, expected));
  });
});

test("another shell is a mistake", async () => {
  expect(await complete("tcsh")).toEqual({ code: 2, out: "" });
});
