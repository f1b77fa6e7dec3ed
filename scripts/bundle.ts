// `npm run bundle [directory] [app …]` makes one file of each app and of each script that the image runs, makes the files of the
// console, and copies the files that they read (docs/decisions/0019-apps-run-as-one-file.md). The default directory is `dist`. The bundler
// keeps half a gigabyte of memory, so other scripts run this one as a process of its own.

import { execFileSync } from "node:child_process";
import { globSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

import { rolldown } from "rolldown";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const ENTRIES: Record<string, string> = {
  gateway: "apps/gateway/src/main.ts",
  worker: "apps/worker/src/main.ts",
  sluice: "apps/cli/src/main.ts",
  "sluice-stores": "apps/cli/src/stores.ts",
  migrate: "scripts/migrate.ts",
  "make-secrets": "scripts/make-secrets.ts",
  "demo-receiver": "scripts/demo/receiver-main.ts",
  "gemini-sdk": "packages/gemini/src/sdk.ts",
  opentelemetry: "packages/tracing/src/otel.ts",
};
/** The console is a folder of files for browsers. */
const CONSOLE = "console";
/** Loaded where it is used first. In the file of an app, V8 would keep its text in every process. */
const LOADED_LATER = new Map([
  ["./sdk.ts", "./gemini-sdk.mjs"],
  ["./otel.ts", "./opentelemetry.mjs"],
  // The gateway serves the command to machines that have no stores.
  ["./stores.ts", "./sluice-stores.mjs"],
]);
/** The gateway serves files of this package unchanged. */
const SERVED_PACKAGE = "swagger-ui-dist";
const SERVED_FILES = [
  "package.json",
  "swagger-ui.css",
  "swagger-ui-bundle.js",
  "swagger-ui-bundle.js.LICENSE.txt",
  "LICENSE",
  "NOTICE",
];

const [directory = "dist", ...names] = process.argv.slice(2);
const known = [...Object.keys(ENTRIES), CONSOLE];
const unknown = names.find((name) => !known.includes(name));
if (unknown !== undefined) throw new Error(`There is no ${unknown} to bundle. Choose from ${known.join(", ")}.`);
const outDirectory = resolve(ROOT, directory);
const commit = process.env["SLUICE_COMMIT"] || readCommit();
copyFiles(findServedPackage(), join(outDirectory, "node_modules", SERVED_PACKAGE), SERVED_FILES);
copyFiles(
  join(ROOT, "drizzle"),
  join(outDirectory, "drizzle"),
  globSync("**/*.{sql,json}", { cwd: join(ROOT, "drizzle") }),
);
const isWanted = (name: string) => names.length === 0 || names.includes(name);
const entries = Object.entries(ENTRIES).filter(([name]) => isWanted(name));
const modulePaths = await Promise.all([
  ...entries.map(([name, entry]) => bundle(entry, join(outDirectory, `${name}.mjs`))),
  ...(isWanted(CONSOLE) ? [makeConsole()] : []),
]);
const packageFolders = new Set(modulePaths.flat().map(packageFolderOf));
replaceFile(join(outDirectory, "THIRD-PARTY-LICENSES"), collectLicenses(packageFolders));

/** @returns the paths of the modules in the files of the console. */
async function makeConsole(): Promise<readonly string[]> {
  // Only now, because a start that has the console already need not load vite.
  const { bundleConsole } = await import("./bundle-console.ts");
  return bundleConsole(join(ROOT, "apps", "console"), join(outDirectory, CONSOLE));
}

/** @returns the paths of the modules in the bundle. */
async function bundle(entry: string, path: string): Promise<readonly string[]> {
  const build = await rolldown({
    input: join(ROOT, entry),
    platform: "node",
    // msgpackr-extract is native code, which a bundle cannot hold. BullMQ's msgpackr works without it.
    external: ["msgpackr-extract"],
    // packages/shared/src/runtime/build.ts reads it.
    transform: { define: { SLUICE_BUILD_COMMIT: JSON.stringify(commit ?? "unknown") } },
    plugins: [
      {
        name: "loaded-later",
        resolveId: (id) => {
          const file = LOADED_LATER.get(id);
          return file === undefined ? undefined : { id: file, external: true };
        },
      },
    ],
    // BullMQ names its ES modules only in the field `module`. The bundler leaves unused ES modules out.
    resolve: { mainFields: ["module", "main"] },
    // Without this, a missing package fails when the app starts and not here.
    onLog: (level, log, handle) => handle(log.code === "UNRESOLVED_IMPORT" ? "error" : level, log),
  });
  // Names and lines stay readable in stack traces, because the code is not minified. Comments go, because V8 keeps the
  // text of a module. THIRD-PARTY-LICENSES has the licenses. One character beyond ASCII would make V8 keep the whole
  // text with two bytes per character.
  const { output } = await build.generate({
    format: "esm",
    codeSplitting: false,
    comments: false,
    charset: "ascii",
    // People fetch the command from a gateway, and make it executable.
    ...(entry === ENTRIES["sluice"] && { banner: "#!/usr/bin/env node" }),
  });
  await build.close();
  replaceFile(path, output[0].code);
  return output[0].moduleIds;
}

/** @returns undefined where there is no git or no repository, such as in the build of an image. */
function readCommit(): string | undefined {
  try {
    const describe = ["describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"];
    return execFileSync("git", describe, { cwd: ROOT, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return undefined;
  }
}

/** Renames a whole file into place, because a relay may be starting from the old one. */
function replaceFile(path: string, content: string | Buffer): void {
  const temporaryPath = `${path}.${process.pid}`;
  writeFileSync(temporaryPath, content);
  renameSync(temporaryPath, path);
}

function copyFiles(from: string, to: string, files: readonly string[]): void {
  for (const file of files) {
    const path = join(to, file);
    mkdirSync(dirname(path), { recursive: true });
    replaceFile(path, readFileSync(join(from, file)));
  }
}

function findServedPackage(): string {
  return dirname(createRequire(join(ROOT, "apps/gateway/package.json")).resolve(`${SERVED_PACKAGE}/package.json`));
}

/** The folder of a module's package; undefined for a module of this repository. */
function packageFolderOf(modulePath: string): string | undefined {
  return /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(modulePath)?.[0];
}

/** The license texts that must accompany the packages. */
function collectLicenses(folders: ReadonlySet<string | undefined>): string {
  const texts = [...folders]
    .filter((folder) => folder !== undefined)
    .map((folder) => {
      const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
      const files = readdirSync(folder).filter((file) => /^(licen[cs]e|notice|copying)/i.test(file));
      const licenseTexts = files.toSorted().map((file) => readFileSync(join(folder, file), "utf8").trim());
      return [`${name} ${version} (${license})`, ...licenseTexts].join("\n\n");
    });
  return `${texts.toSorted().join(`\n\n${"-".repeat(80)}\n\n`)}\n`;
}
