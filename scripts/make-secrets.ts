// The compose file's first step: every secret that the environment does not give is made, once, in DATA_DIR,
// where only the relay's user reads it. One that the environment gives replaces the file.

import { randomBytes } from "node:crypto";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const dataDir = process.env["DATA_DIR"] ?? ".data";

keep("master-key", process.env["MASTER_KEY"], () => randomBytes(32).toString("base64"));
keep("admin-api-key", process.env["ADMIN_API_KEY"], () => `sluice_${randomBytes(32).toString("base64url")}`);
const password = keep("postgres-password", undefined, () => randomBytes(24).toString("hex"));
if (password !== undefined) write("database-url", `postgres://sluice:${password}@postgres:5432/sluice`);

/** @returns the value when it was written now. */
function keep(name: string, given: string | undefined, make: () => string): string | undefined {
  if (given === undefined || given === "") {
    if (existsSync(join(dataDir, name))) return undefined;
    return write(name, make());
  }
  return write(name, given);
}

function write(name: string, value: string): string {
  writeFileSync(join(dataDir, name), `${value}\n`, { mode: 0o600 });
  console.log(`wrote ${name}`);
  return value;
}
