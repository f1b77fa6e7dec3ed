// Builds the console once for all tests of this folder.

import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import type { TestProject } from "vitest/node";

import { findChromium } from "../support/chromium.ts";

declare module "vitest" {
  export interface ProvidedContext {
    /** The built console. */
    consoleDirectory: string;
    /** The path of the browser; undefined when this machine has none. */
    chromium: string | undefined;
  }
}

const BUNDLE = fileURLToPath(new URL("../../scripts/bundle.ts", import.meta.url));

export default async function setup(project: TestProject): Promise<() => void> {
  const directory = mkdtempSync(join(tmpdir(), "sluice-console-"));
  const chromium = findChromium();
  if (chromium !== undefined) await promisify(execFile)(process.execPath, [BUNDLE, directory, "console"]);
  project.provide("consoleDirectory", join(directory, "console"));
  project.provide("chromium", chromium);
  return () => rmSync(directory, { recursive: true });
}
