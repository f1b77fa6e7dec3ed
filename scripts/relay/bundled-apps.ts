// The bundles that `npm start` and the bench run. Each start makes new bundles, so that they match the sources.

import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const DIRECTORY = join(ROOT, "node_modules", ".cache", "apps");

export interface Bundles {
  gateway: string;
  worker: string;
  migrate: string;
}

/** @returns the paths of the bundles. @throws Error with the message of the bundler. */
export async function bundleApps(): Promise<Bundles> {
  const names = ["gateway", "worker", "migrate"];
  await promisify(execFile)(process.execPath, [join(ROOT, "scripts", "bundle.ts"), DIRECTORY, ...names]);
  const pathOf = (name: string) => join(DIRECTORY, `${name}.mjs`);
  return { gateway: pathOf("gateway"), worker: pathOf("worker"), migrate: pathOf("migrate") };
}
