// The table of a run, as Markdown and as JSON, with everything that is needed to repeat the run.

import { execFileSync } from "node:child_process";
import { cpus, release, totalmem, type } from "node:os";

import { describeCommit } from "../support/commit.ts";
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

/** A fault that could not be injected says nothing about the relay, or that the relay did not even start. */
export type Line = Result | { fault: string; outcome: "failed"; reason: string };

export function headerLines(): string[] {
  return [tableLine(HEADERS), `|${WIDTHS.map((width) => "-".repeat(width + 2)).join("|")}|`];
}

export function rowOf(result: Line): string {
  if (result.outcome === "skipped" || result.outcome === "failed") {
    return tableLine([
      result.fault,
      ...Array.from({ length: HEADERS.length - 2 }, () => ""),
      `${result.outcome}: ${result.reason}`,
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

/** The settings of a run, and its environment. */
export function describeRun(options: RunOptions): Record<string, string | number> {
  const [cpu] = cpus();
  return {
    seed: options.seed,
    "events per second": options.perSecond,
    commit: describeCommit(),
    date: new Date().toISOString(),
    machine: `${cpus().length} × ${cpu?.model ?? "?"}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${type()} ${release()}`,
    node: process.version,
    redis: readRedisVersion(),
  };
}

export function toMarkdown(description: Record<string, string | number>, results: readonly Line[]): string {
  const facts = Object.entries(description).map(([name, value]) => `${name} ${value}`);
  return `${facts.join(" · ")}\n\n${[...headerLines(), ...results.map(rowOf)].join("\n")}\n`;
}

function readRedisVersion(): string {
  const binary = findRedisServer();
  if (binary === undefined) return "none";
  return /v=(\S+)/.exec(execFileSync(binary, ["--version"], { encoding: "utf8" }))?.[1] ?? "unknown";
}
