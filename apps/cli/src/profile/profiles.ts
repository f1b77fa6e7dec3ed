// The profiles that `sluice login` keeps: for each name the address of a relay and a key for it, in a file that only its owner
// can read.

import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";

import { SluiceError } from "@sluice/shared/runtime/errors";

export interface Profile {
  api: string;
  key: string;
}

export type Profiles = Readonly<Record<string, Profile>>;

export const DEFAULT_PROFILE = "default";
const ONLY_OWNER = 0o600;

/** https://specifications.freedesktop.org/basedir-spec: a relative XDG_CONFIG_HOME does not count. */
export function profilesPath(env: NodeJS.ProcessEnv): string {
  const given = env["XDG_CONFIG_HOME"];
  const base = given?.startsWith("/") === true ? given : join(env["HOME"] || homedir(), ".config");
  return join(base, "sluice", "profiles.json");
}

/** @throws SluiceError `invalid_configuration` for a file that was changed by hand and cannot be read. */
export function readProfiles(env: NodeJS.ProcessEnv): Profiles {
  const path = profilesPath(env);
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT" || code === "ENOTDIR") return {};
    throw unreadable(path, String(code), error);
  }
  try {
    const content = JSON.parse(text) as { profiles?: Record<string, Profile> };
    const profiles = Object.entries(content.profiles ?? {});
    if (profiles.every(([, { api, key }]) => typeof api === "string" && typeof key === "string"))
      return Object.fromEntries(profiles);
    throw unreadable(path, "a profile lacks its address or its key");
  } catch (error) {
    throw error instanceof SluiceError ? error : unreadable(path, "it is not JSON", error);
  }
}

/** Replaces the file as a whole, so that it is never half written. */
export function writeProfiles(env: NodeJS.ProcessEnv, profiles: Profiles): void {
  const path = profilesPath(env);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, `${JSON.stringify({ profiles }, null, 2)}\n`, { mode: ONLY_OWNER });
  renameSync(draft, path);
}

const unreadable = (path: string, reason: string, cause?: unknown) =>
  new SluiceError(
    "invalid_configuration",
    `The profiles in ${path} cannot be read (${reason}). Mend the file, or remove it and run \`sluice login\` again`,
    { cause },
  );
