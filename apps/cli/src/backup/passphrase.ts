// The passphrase that seals the master key comes from a file or from the environment, and never from an argument, which
// every user of the machine can see.

import { readFileSync } from "node:fs";
import { resolve } from "node:path";

import { SluiceError } from "@sluice/shared/runtime/errors";

import type { CliContext } from "../cli-context.ts";

export const PASSPHRASE_VARIABLE = "SLUICE_BACKUP_PASSPHRASE";
const MIN_LENGTH = 12;

/**
 * @param file overrides the environment.
 * @throws SluiceError `invalid_configuration`
 */
export function readPassphrase({ env, directory }: CliContext, file: string | undefined): string | undefined {
  const text = file === undefined ? env[PASSPHRASE_VARIABLE] : readFile(resolve(directory, file));
  if (text === undefined || (file === undefined && text === "")) return undefined;
  if (text.length >= MIN_LENGTH) return text;
  throw new SluiceError(
    "invalid_configuration",
    `${file === undefined ? PASSPHRASE_VARIABLE : file} must hold a passphrase of at least ${MIN_LENGTH} characters`,
  );
}

function readFile(path: string): string {
  try {
    // An editor ends the line.
    return readFileSync(path, "utf8").replace(/\r?\n$/, "");
  } catch (error) {
    const reason = error instanceof Error && "code" in error ? String(error.code) : "unreadable";
    throw new SluiceError("invalid_configuration", `--passphrase-file cannot be read (${reason}): ${path}`);
  }
}
