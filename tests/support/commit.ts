// The commit of a measurement, so that it can be repeated.

import { execFileSync } from "node:child_process";

/** `79d7bdd`, or `79d7bdd with changes`; `unknown` where git does not answer. */
export function describeCommit(): string {
  const git = (...words: string[]) =>
    execFileSync("git", words, {
      cwd: import.meta.dirname,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  try {
    const changes = git("status", "--porcelain", "--untracked-files=no") === "" ? "" : " with changes";
    return git("rev-parse", "--short", "HEAD") + changes;
  } catch {
    return "unknown";
  }
}
