// The commit of a measurement, so that it can be repeated.

import { execFileSync } from "node:child_process";

/** `79d7bdd`, or `79d7bdd with changes`; `unknown` where git does not answer. */
export function describeCommit(): string {
  try {
    const changes = runGit("status", "--porcelain", "--untracked-files=no") === "" ? "" : " with changes";
    return runGit("rev-parse", "--short", "HEAD") + changes;
  } catch {
    return "unknown";
  }
}

function runGit(...words: string[]): string {
  const stdio = ["ignore", "pipe", "ignore"] as const;
  return execFileSync("git", words, { cwd: import.meta.dirname, encoding: "utf8", stdio: [...stdio] }).trim();
}
