// The data directory, made with the rights that everything in it relies on.

import { accessSync, constants, mkdirSync, realpathSync } from "node:fs";

/** Makes it when absent. @returns its real path. @throws Error when it is another user's. */
export function openDataDirectory(path: string): string {
  // Others may enter, not list: when we are root, PostgreSQL is another user and has its data in here. What is
  // secret is in files that only their owner reads.
  mkdirSync(path, { recursive: true, mode: 0o711 });
  try {
    accessSync(path, constants.W_OK);
  } catch (error) {
    throw new Error(`${path} is another user's. Start as that user, or set DATA_DIR.`, { cause: error });
  }
  return realpathSync(path);
}
