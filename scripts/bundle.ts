// `npm run bundle [directory] [app …]`: each app, and what the image runs beside them, as one file, into `dist` when no
// other directory is given, with the files that they read: docs/decisions/0019-apps-run-as-one-file.md. A process of its
// own, because the bundler keeps half a gigabyte.

import { globSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

import { rolldown } from "rolldown";

import { keepClosuresYoung } from "./young-closures.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const ENTRIES: Record<string, string> = {
  gateway: "apps/gateway/src/main.ts",
  worker: "apps/worker/src/main.ts",
  migrate: "scripts/migrate.ts",
  "make-secrets": "scripts/make-secrets.ts",
};
/** Modules that nothing here needs, and what stands for them: V8 keeps the text of all that is in a bundle. */
const LEFT_OUT: [module: RegExp, instead: string][] = [
  // BullMQ's, for repeated jobs, of which the relay has none.
  [/\/node_modules\/cron-parser\//, "module.exports = {};"],
  // In English alone.
  [/\/node_modules\/zod\/v4\/locales\/(?!en\.|index\.)/, "export default undefined;"],
  // Who called pino, for transports in threads of their own. Asked once, V8 keeps where each line of the bundle ends.
  [/\/node_modules\/pino\/lib\/caller\.js$/, "module.exports = () => [];"],
];
/** Packages that make a closure for each command to a store, and V8 an old object of it. */
const CLOSE_OVER_COMMANDS = /\/node_modules\/(?:ioredis|pg)\//;
/** Whose files the gateway serves as they are. */
const SERVED = "swagger-ui-dist";
const SERVED_FILES = [
  "package.json",
  "swagger-ui.css",
  "swagger-ui-bundle.js",
  "swagger-ui-bundle.js.LICENSE.txt",
  "LICENSE",
  "NOTICE",
];

const [directory = "dist", ...names] = process.argv.slice(2);
const unknown = names.find((name) => ENTRIES[name] === undefined);
if (unknown !== undefined) throw new Error(`There is no ${unknown} to bundle, but ${Object.keys(ENTRIES).join(", ")}`);
const to = resolve(ROOT, directory);
copyFiles(servedFolder(), join(to, "node_modules", SERVED), SERVED_FILES);
copyFiles(join(ROOT, "drizzle"), join(to, "drizzle"), globSync("**/*.{sql,json}", { cwd: join(ROOT, "drizzle") }));
const entries = Object.entries(ENTRIES).filter(([name]) => names.length === 0 || names.includes(name));
const modules = await Promise.all(entries.map(([name, entry]) => bundle(entry, join(to, `${name}.mjs`))));
replaceFile(join(to, "THIRD-PARTY-LICENSES"), licensesOf(new Set(modules.flat().map(packageOf))));

/** @returns the paths of the modules that are in it. */
async function bundle(entry: string, path: string): Promise<readonly string[]> {
  const build = await rolldown({
    input: join(ROOT, entry),
    platform: "node",
    // Native, and so in no bundle: msgpackr, of BullMQ, does without.
    external: ["msgpackr-extract"],
    // BullMQ says by this alone that it has ES modules, of which a bundle needs only what is imported.
    resolve: { mainFields: ["module", "main"] },
    plugins: [
      { name: "left-out", load: (id) => LEFT_OUT.find(([module]) => module.test(id))?.[1] },
      {
        name: "young-closures",
        transform: (code, id) => (CLOSE_OVER_COMMANDS.test(id) ? keepClosuresYoung(id, code) : undefined),
      },
    ],
    // A package that is not there would be missed by who starts the app.
    onLog: (level, log, handle) => handle(log.code === "UNRESOLVED_IMPORT" ? "error" : level, log),
  });
  // Not minified: a stack trace names what it names in the sources. But without comments, because V8 keeps the text; licenses
  // are in a file of their own.
  const { output } = await build.generate({ format: "esm", codeSplitting: false, comments: false });
  await build.close();
  replaceFile(path, inAscii(output[0].code));
  return output[0].moduleIds;
}

/** Node keeps a text with one character beyond ASCII in two bytes for each, for as long as the process runs. */
function inAscii(code: string): string {
  return code.replaceAll(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** At once: a relay may be starting from it. */
function replaceFile(path: string, content: string | Buffer): void {
  const written = `${path}.${process.pid}`;
  writeFileSync(written, content);
  renameSync(written, path);
}

function copyFiles(from: string, directoryOfCopies: string, files: readonly string[]): void {
  for (const file of files) {
    const path = join(directoryOfCopies, file);
    mkdirSync(dirname(path), { recursive: true });
    replaceFile(path, readFileSync(join(from, file)));
  }
}

function servedFolder(): string {
  return dirname(createRequire(join(ROOT, "apps/gateway/package.json")).resolve(`${SERVED}/package.json`));
}

/** The folder of the package that a module is of; undefined for our own. */
function packageOf(path: string): string | undefined {
  return /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(path)?.[0];
}

/** The texts under which the packages may be passed on. */
function licensesOf(packages: ReadonlySet<string | undefined>): string {
  const texts = [...packages]
    .filter((folder) => folder !== undefined)
    .map((folder) => {
      const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
      const files = readdirSync(folder).filter((file) => /^(licen[cs]e|notice|copying)/i.test(file));
      const said = files.toSorted().map((file) => readFileSync(join(folder, file), "utf8").trim());
      return [`${name} ${version} (${license})`, ...said].join("\n\n");
    });
  return `${texts.toSorted().join(`\n\n${"-".repeat(80)}\n\n`)}\n`;
}
