// The table of a run, for people (Markdown) and for programs (JSON), with what it takes to have it again.

import { execFileSync } from "node:child_process";
import { cpus, release, totalmem, type } from "node:os";

import { findRedisServer } from "../support/redis-server.ts";
import type { Result, RunOptions } from "./run.ts";

const HEADERS = [
  "fault",
  "sent",
  "2xx",
  "refused",
  "cut",
  "lost",
  "duplicate events",
  "repeated (in flight)",
  "recovered after",
  "verdict",
];

const WIDTHS = [28, 6, 6, 7, 5, 5, 16, 20, 15, 7];

export function headerLines(): string[] {
  return [tableLine(HEADERS), `|${WIDTHS.map((width) => "-".repeat(width + 2)).join("|")}|`];
}

export function rowOf(result: Result): string {
  if (result.outcome === "skipped") {
    return tableLine([
      result.fault,
      ...Array.from({ length: HEADERS.length - 2 }, () => ""),
      `skipped: ${result.reason}`,
    ]);
  }
  const { account, inFlight } = result;
  const cells = [account.sent, account.accepted, account.refused, account.cut, account.lost.length];
  return tableLine([
    result.fault,
    ...cells.map(String),
    String(account.duplicateEvents),
    `${account.repeated} (${inFlight})`,
    `${(account.recoverMs / 1000).toFixed(1)} s`,
    result.outcome,
  ]);
}

function tableLine(cells: readonly string[]): string {
  const padded = cells.map((cell, index) =>
    index === 0 || index === cells.length - 1 ? cell.padEnd(WIDTHS[index] ?? 0) : cell.padStart(WIDTHS[index] ?? 0),
  );
  return `| ${padded.join(" | ")} |`;
}

/** What a run is of, in one paragraph. */
export function describeRun(options: RunOptions, root: string): Record<string, string | number> {
  const [cpu] = cpus();
  return {
    seed: options.seed,
    "events per second": options.perSecond,
    commit: readCommit(root),
    date: new Date().toISOString(),
    machine: `${cpus().length} × ${cpu?.model ?? "?"}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${type()} ${release()}`,
    node: process.version,
    redis: readVersion(),
  };
}

export function toMarkdown(description: Record<string, string | number>, results: readonly Result[]): string {
  const facts = Object.entries(description).map(([name, value]) => `${name} ${value}`);
  return `${facts.join(" · ")}\n\n${[...headerLines(), ...results.map(rowOf)].join("\n")}\n`;
}

function readCommit(root: string): string {
  const git = (...words: string[]) =>
    execFileSync("git", words, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  try {
    const changed = git("status", "--porcelain", "--untracked-files=no") === "" ? "" : " with changes";
    return git("rev-parse", "--short", "HEAD") + changed;
  } catch {
    return "unknown";
  }
}

function readVersion(): string {
  const binary = findRedisServer();
  if (binary === undefined) return "none";
  return /v=(\S+)/.exec(execFileSync(binary, ["--version"], { encoding: "utf8" }))?.[1] ?? "unknown";
}
