// The files of the embedded PostgreSQL. The first start runs initdb and makes a random password that only the owner of the
// data directory can read. The directory gets the name `cluster` only when initdb has finished.

import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chownSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

import type { Account } from "./account.ts";

export const SUPERUSER = "sluice";

/** The whole environment of initdb and the server. A PGDATA or PGPORT of the terminal must not reach them. */
export function postgresEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env["PATH"], LC_ALL: "C", TZ: "UTC" };
}

/**
 * Makes `cluster/` and `password` in a data directory, if they do not exist.
 * @param sync whether the new files must survive a power cut.
 * @returns the superuser's password.
 */
export async function ensureCluster(initdb: string, account: Account, dataDir: string, sync: boolean): Promise<string> {
  const cluster = join(dataDir, "cluster");
  const passwordFile = join(dataDir, "password");
  const readPassword = () => readFileSync(passwordFile, "utf8").trim();
  if (existsSync(cluster)) return readPassword();
  const unfinished = `${cluster}.new`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { mode: 0o700 });
  rmSync(passwordFile, { force: true });
  writeFileSync(passwordFile, `${randomBytes(24).toString("hex")}\n`, { mode: 0o600 });
  const { owner } = account;
  if (owner !== undefined) for (const path of [unfinished, passwordFile]) chownSync(path, owner.uid, owner.gid);
  // The builtin locale is the same on every machine. A locale of the system may be missing, or change its sort order.
  const locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"];
  const access = [`--username=${SUPERUSER}`, `--pwfile=${passwordFile}`, "--auth=scram-sha-256"];
  const command = [...account.prefix, initdb, `--pgdata=${unfinished}`, ...access, ...locale];
  if (!sync) command.push("--no-sync");
  const [file = "", ...args] = command;
  // The account may not be able to enter the working directory of this process.
  try {
    await promisify(execFile)(file, args, { cwd: "/", env: postgresEnvironment() });
  } catch (error) {
    throw new Error(`initdb failed: ${outputOf(error)}`, { cause: error });
  }
  renameSync(unfinished, cluster);
  return readPassword();
}

function outputOf(error: unknown): string {
  return error instanceof Error && "stderr" in error ? String(error.stderr).trim() : String(error);
}
