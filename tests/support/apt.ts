// Programs that tests need and that npm does not bring: found on PATH, or installed with apt.

import { execFile } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** A browser is a hundred megabytes and more. */
const APT_LIMIT_MS = 300_000;

/** The path of the first of some programs that is installed; undefined without any. */
export function findInstalled(names: readonly string[]): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
  const paths = names.flatMap((name) => [...folders, "/usr/local/bin", "/usr/bin"].map((folder) => join(folder, name)));
  return paths.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/**
 * Installs the first of some programs that apt has, by the package of its name. This needs root.
 * @returns the reason when that fails; undefined on success.
 */
export async function installByApt(names: readonly string[]): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return "only root can install one";
  const options = {
    timeout: APT_LIMIT_MS,
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    maxBuffer: 64 * 1024 * 1024,
  };
  const apt = (...words: string[]) => run("apt-get", ["-qq", "-o", "DPkg::Lock::Timeout=60", ...words], options);
  let reason = "";
  try {
    await apt("update");
  } catch (error) {
    // An old package list may be good enough.
    reason = lastLine(error);
  }
  for (const name of names) {
    try {
      await apt("install", "--yes", "--no-install-recommends", name);
      if (findInstalled([name]) !== undefined) return undefined;
    } catch (error) {
      reason = lastLine(error);
    }
  }
  return `apt-get does not install one: ${reason}`;
}

function lastLine(error: unknown): string {
  const text =
    error instanceof Error && "stderr" in error && error.stderr !== "" ? String(error.stderr) : String(error);
  return text.trim().split("\n").at(-1) ?? "";
}
