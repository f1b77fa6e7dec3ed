// The bundles that `npm start` and the bench run. Each start makes new bundles, so that they match the sources.

import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const DIRECTORY = join(ROOT, "node_modules", ".cache", "apps");

/** @returns the paths of the bundles. @throws Error with the message of the bundler. */
export async function bundleApps(): Promise<{ gateway: string; worker: string }> {
  await promisify(execFile)(process.execPath, [join(ROOT, "scripts", "bundle.ts"), DIRECTORY, "gateway", "worker"]);
  return { gateway: join(DIRECTORY, "gateway.mjs"), worker: join(DIRECTORY, "worker.mjs") };
}
