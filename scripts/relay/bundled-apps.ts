// The bundles that `npm start` and the bench run. Each start makes new bundles, so that they match the sources. Google's SDK
// is a tenth of the work, and changes with the versions of the packages only: its bundle is kept.

import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const DIRECTORY = join(ROOT, "node_modules", ".cache", "apps");
const SDK = "gemini-sdk";
/** What the kept bundle was made of. */
const SDK_STAMP = join(DIRECTORY, `${SDK}.made-of`);
const SDK_MADE_OF = ["pnpm-lock.yaml", "packages/gemini/src/sdk.ts", "scripts/bundle.ts"];

export interface Bundles {
  gateway: string;
  worker: string;
  migrate: string;
}

/** @returns the paths of the bundles. @throws Error with the message of the bundler. */
export async function bundleApps(): Promise<Bundles> {
  const stamp = stampOf(SDK_MADE_OF);
  const isKept = existsSync(join(DIRECTORY, `${SDK}.mjs`)) && existsSync(SDK_STAMP) && stamp === read(SDK_STAMP);
  const names = ["gateway", "worker", "migrate", ...(isKept ? [] : [SDK])];
  await promisify(execFile)(process.execPath, [join(ROOT, "scripts", "bundle.ts"), DIRECTORY, ...names]);
  if (!isKept) writeFileSync(SDK_STAMP, stamp);
  const pathOf = (name: string) => join(DIRECTORY, `${name}.mjs`);
  return { gateway: pathOf("gateway"), worker: pathOf("worker"), migrate: pathOf("migrate") };
}

const read = (path: string) => readFileSync(path, "utf8");

function stampOf(paths: readonly string[]): string {
  const hash = createHash("sha256");
  for (const path of paths) hash.update(read(join(ROOT, path)));
  return hash.digest("hex");
}
