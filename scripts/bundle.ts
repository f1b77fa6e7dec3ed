// `npm run bundle`: each app, and what the image runs beside them, as one file in `dist` that needs no other but the folder
// `drizzle`. docs/decisions/0019-apps-run-as-one-file.md says what it brings.

import { cpSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { rolldown } from "rolldown";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const DIST = join(ROOT, "dist");

const APPS = { gateway: "apps/gateway/src/main.ts", worker: "apps/worker/src/main.ts" };
const TOOLS = { migrate: "scripts/migrate.ts", "make-secrets": "scripts/make-secrets.ts" };
/** Served as they are, and so found as files. */
const SERVED = {
  package: "swagger-ui-dist",
  files: ["package.json", "swagger-ui.css", "swagger-ui-bundle.js", "LICENSE"],
};

/** @returns the paths of the apps' files, which are made anew each time, in less than a second. */
export async function bundleApps(): Promise<Record<keyof typeof APPS, string>> {
  mkdirSync(DIST, { recursive: true });
  copyServed();
  const [gateway, worker] = await Promise.all([bundle("gateway", APPS.gateway), bundle("worker", APPS.worker)]);
  return { gateway, worker };
}

async function bundle(name: string, entry: string): Promise<string> {
  const build = await rolldown({
    input: join(ROOT, entry),
    platform: "node",
    // Speeds BullMQ's msgpackr up where it is installed, and is native.
    external: ["msgpackr-extract"],
    logLevel: "warn",
  });
  // Not minified: a stack trace names what it names in the sources.
  const { output } = await build.generate({ format: "esm", codeSplitting: false });
  await build.close();
  const path = join(DIST, `${name}.mjs`);
  replaceFile(path, inAscii(output[0].code));
  return path;
}

/** Node keeps a text with one character beyond ASCII in two bytes for each, for as long as the process runs. */
function inAscii(code: string): string {
  return code.replaceAll(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** At once: another relay of this folder may be starting from it. */
function replaceFile(path: string, text: string): void {
  const written = `${path}.${process.pid}`;
  writeFileSync(written, text);
  renameSync(written, path);
}

function copyServed(): void {
  const { resolve } = createRequire(join(ROOT, APPS.gateway));
  const to = join(DIST, "node_modules", SERVED.package);
  mkdirSync(to, { recursive: true });
  const from = dirname(resolve(`${SERVED.package}/package.json`));
  for (const file of SERVED.files) cpSync(join(from, file), join(to, file));
}

if (import.meta.main) {
  await bundleApps();
  for (const [name, entry] of Object.entries(TOOLS)) await bundle(name, entry);
}
