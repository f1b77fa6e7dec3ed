// The file of `sluice doctor --bundle`, for a report of a fault. Everything in it comes from answers that hold no secrets.

import { existsSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";

import { SLUICE_VERSION } from "@sluice/shared/domain/version";
import { SluiceError } from "@sluice/shared/runtime/errors";

import { type CliContext, jsonText, note } from "../cli-context.ts";
import type { Examination } from "./examine-relay.ts";

const JSON_INDENT = 2;
const ONLY_OWNER = 0o600;

export interface BundleFile {
  path: string;
  /** Whether a file that is there may be replaced. */
  mayReplace: boolean;
}

/** Before the relay is asked anything. @throws SluiceError `invalid_configuration` when the file is there and must stay. */
export function refuseReplacing({ path, mayReplace }: BundleFile, { directory }: CliContext): void {
  if (!mayReplace && existsSync(resolve(directory, path))) throw isThere(path);
}

const isThere = (path: string) =>
  new SluiceError("invalid_configuration", `${path} is there already: name another file, or pass --force`);

/** @throws SluiceError `invalid_configuration` when the file cannot be written. */
export function writeBundle({ path, mayReplace }: BundleFile, examination: Examination, context: CliContext): void {
  const { state, ...others } = examination;
  const bundle = {
    made_at: new Date().toISOString(),
    command: { version: SLUICE_VERSION, node: process.versions.node, platform: `${process.platform} ${process.arch}` },
    ...others,
    system: state?.system ?? null,
    unwell_targets: state?.unwellTargets ?? null,
  };
  try {
    const flag = mayReplace ? "w" : "wx";
    writeFileSync(resolve(context.directory, path), `${jsonText(bundle, JSON_INDENT)}\n`, { mode: ONLY_OWNER, flag });
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    if (code === "EEXIST") throw isThere(path);
    throw new SluiceError("invalid_configuration", `The bundle cannot be written (${code}): ${path}`, { cause: error });
  }
  note(context, `${path} has it all. Read it before you pass it on: it names targets, sources and addresses.`);
}
