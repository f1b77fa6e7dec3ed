// The embedded PostgreSQL has the two roles of docs/postgres.md, so that gateway and worker are no superuser. Their
// passwords are files beside the superuser's, which are made when they are missing: also in a directory of an older
// version.

import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import type { RoleUrls } from "@sluice/store/connection/roles";

const ROLES = { owner: "sluice_migrate", app: "sluice_app" };

/**
 * @param dataDir of the embedded PostgreSQL.
 * @param adminUrl the URL of its superuser.
 */
export function openRoleUrls(dataDir: string, adminUrl: string): RoleUrls {
  const urlOf = (role: keyof typeof ROLES) => {
    const url = new URL(adminUrl);
    url.username = ROLES[role];
    url.password = readOrMakePassword(join(dataDir, `${role}-password`));
    return url.href;
  };
  return { admin: adminUrl, owner: urlOf("owner"), app: urlOf("app") };
}

/** The caller MUST hold the lock of the directory. */
function readOrMakePassword(path: string): string {
  // A full disk leaves an empty file.
  const stored = existsSync(path) ? readFileSync(path, "utf8").trim() : "";
  if (stored !== "") return stored;
  const password = randomBytes(24).toString("hex");
  writeFileSync(`${path}.new`, `${password}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
  return password;
}
