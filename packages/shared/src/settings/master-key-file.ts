// The master key when the environment gives none: made once, in DATA_DIR, readable by its owner alone.

import { randomBytes } from "node:crypto";
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { SluiceError } from "../runtime/errors.ts";
import { type MasterKey, readMasterKey } from "./master-key.ts";

const FILE = "master-key";

/** Reads DATA_DIR/master-key, or makes it. Safe when gateway and worker start at once. */
export function readOrCreateMasterKey(dataDir: string): MasterKey {
  const path = join(dataDir, FILE);
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    publish(path, `${randomBytes(32).toString("base64")}\n`);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) {
      throw new SluiceError("invalid_configuration", `MASTER_KEY is not set and ${path} cannot be made`, {
        cause: error,
      });
    }
  }
  const key = readMasterKey(readFileSync(path, "utf8"));
  if (key === undefined) throw new SluiceError("invalid_configuration", `${path} does not hold a master key`);
  return key;
}

/** Whole or not at all: of two processes the first links its file, and the other finds it with all that is in it. */
function publish(path: string, text: string): void {
  const draft = `${path}.${randomBytes(8).toString("hex")}`;
  try {
    writeFileSync(draft, text, { flag: "wx", mode: 0o600, flush: true });
    linkSync(draft, path);
  } finally {
    rmSync(draft, { force: true });
  }
}
