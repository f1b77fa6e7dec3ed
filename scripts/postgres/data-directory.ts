// The data directory has the access rights on which everything in it relies.

import { accessSync, constants, mkdirSync, realpathSync } from "node:fs";

/** Makes the directory if it does not exist. @returns its real path. @throws Error when another user owns it. */
export function openDataDirectory(path: string): string {
  // Other users may enter the directory but not list it: when this process is root, PostgreSQL runs as another user, and
  // its data is in here. Secrets are in files that only their owner can read.
  mkdirSync(path, { recursive: true, mode: 0o711 });
  try {
    accessSync(path, constants.W_OK);
  } catch (error) {
    throw new Error(`This user cannot write to ${path}. Start as its owner, or set DATA_DIR.`, { cause: error });
  }
  return realpathSync(path);
}
