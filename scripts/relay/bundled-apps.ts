// The bundles that `npm start` and the bench run. Each start makes new bundles, so that they match the sources. What the apps
// load later, Google's SDK and OpenTelemetry, is a tenth of the work and more, and changes with the versions of the packages
// only: its bundles are kept. The console is kept until its own sources change.

import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, globSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const DIRECTORY = join(ROOT, "node_modules", ".cache", "apps");
/** The bundles that are kept, with what each is made of: paths, and patterns of paths. */
const KEPT = new Map([
  ["gemini-sdk", ["pnpm-lock.yaml", "packages/gemini/src/sdk.ts", "scripts/bundle.ts"]],
  [
    "opentelemetry",
    ["pnpm-lock.yaml", "packages/tracing/src/otel.ts", "packages/shared/src/domain/version.ts", "scripts/bundle.ts"],
  ],
  [
    "console",
    [
      "pnpm-lock.yaml",
      "scripts/bundle-console.ts",
      "apps/console/{index.html,package.json,tsconfig.json,vite.config.ts}",
      "apps/console/{public,src}/**/*.*",
      "packages/client/src/**/*.ts",
    ],
  ],
]);

export interface Bundles {
  gateway: string;
  worker: string;
  migrate: string;
  sluice: string;
}

/** @returns the paths of the bundles. @throws Error with the message of the bundler. */
export async function bundleApps(): Promise<Bundles> {
  const missing = [...KEPT].filter(([name, sources]) => !isFresh(name, stampOf(sources))).map(([name]) => name);
  // The gateway serves the command.
  const names = ["gateway", "worker", "migrate", "sluice", ...missing];
  await promisify(execFile)(process.execPath, [join(ROOT, "scripts", "bundle.ts"), DIRECTORY, ...names]);
  for (const name of missing) writeFileSync(stampPath(name), stampOf(KEPT.get(name) ?? []));
  const pathOf = (name: string) => join(DIRECTORY, `${name}.mjs`);
  return { gateway: pathOf("gateway"), worker: pathOf("worker"), migrate: pathOf("migrate"), sluice: pathOf("sluice") };
}

const read = (path: string) => readFileSync(path, "utf8");

/** Where it is written what a kept bundle was made of. */
const stampPath = (name: string) => join(DIRECTORY, `${name}.made-of`);

const isFresh = (name: string, stamp: string) =>
  [`${name}.mjs`, join(name, "index.html")].some((file) => existsSync(join(DIRECTORY, file))) &&
  existsSync(stampPath(name)) &&
  stamp === read(stampPath(name));

function stampOf(patterns: readonly string[]): string {
  const hash = createHash("sha256");
  const paths = patterns.flatMap((pattern) => globSync(pattern, { cwd: ROOT }).toSorted());
  for (const path of paths) if (!path.includes(".test.")) hash.update(`${path}\0`).update(read(join(ROOT, path)));
  return hash.digest("hex");
}
