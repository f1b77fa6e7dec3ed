// The master key of a relay whose environment has none. It is made once, in DATA_DIR, in a file that only its owner may
// read.

import { randomBytes } from "node:crypto";
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { SluiceError } from "../runtime/errors.ts";
import { type MasterKey, readMasterKey } from "./master-key.ts";

const FILE = "master-key";

/**
 * Reads DATA_DIR/master-key, and makes it first when it is missing. Gateway and worker may call this at the same time.
 * @throws SluiceError `invalid_configuration` when the file cannot be made or does not hold a key.
 */
export function readOrCreateMasterKey(dataDir: string): MasterKey {
  const path = join(dataDir, FILE);
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    publishFile(path, `${randomBytes(32).toString("base64")}\n`);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) {
      const reason = error instanceof Error && "code" in error ? String(error.code) : "unknown reason";
      throw new SluiceError(
        "invalid_configuration",
        `MASTER_KEY is not set and ${path} cannot be made (${reason}); set MASTER_KEY, or make DATA_DIR writable`,
        { cause: error },
      );
    }
  }
  const key = readMasterKey(readFileSync(path, "utf8"));
  if (key === undefined) {
    throw new SluiceError(
      "invalid_configuration",
      `${path} does not hold a master key; restore the file, or set MASTER_KEY`,
    );
  }
  return key;
}

/**
 * Makes a file that is complete as soon as it exists. When two processes do this at once, the first links its file, and
 * the other finds that file complete.
 * @throws Error `EEXIST` when the file exists.
 */
function publishFile(path: string, text: string): void {
  const draft = `${path}.${randomBytes(8).toString("hex")}`;
  try {
    writeFileSync(draft, text, { flag: "wx", mode: 0o600, flush: true });
    linkSync(draft, path);
  } finally {
    rmSync(draft, { force: true });
  }
}
