// The source of the previous version, which an upgrade test runs beside the present one. The file `previous-commit` names
// its commit. A release puts its own commit there: CONTRIBUTING.md, "Migrations".

import { execFile } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** As in scripts/launch.mjs. */
const PNPM = "pnpm@12.21.0";
const INSTALL_LIMIT_MS = 180_000;

/** The commit of the previous version, or why this checkout does not have it. */
export async function findPreviousCommit(): Promise<{ commit: string } | { missing: string }> {
  const commit = readFileSync(new URL("previous-commit", import.meta.url), "utf8").trim();
  try {
    await run("git", ["-C", ROOT, "cat-file", "-e", `${commit}^{commit}`]);
    return { commit };
  } catch {
    return { missing: `this checkout has no commit ${commit}: it has no history, or a shallow one` };
  }
}

/**
 * Writes the source of a commit to a directory and installs what its apps need, from pnpm's store where it can.
 * @throws Error with the output of the command that failed.
 */
export async function checkOutVersion(commit: string, directory: string): Promise<void> {
  mkdirSync(directory, { recursive: true });
  const archive = join(directory, "source.tar");
  await run("git", ["-C", ROOT, "archive", "--output", archive, commit]);
  await run("tar", ["-xf", archive, "-C", directory]);
  const apps = ["--filter", "@sluice/gateway...", "--filter", "@sluice/worker..."];
  await run("npx", ["--yes", PNPM, "install", "--frozen-lockfile", "--prefer-offline", "--prod", ...apps], {
    cwd: directory,
    env: { ...process.env, CI: "true" },
    timeout: INSTALL_LIMIT_MS,
  });
}
