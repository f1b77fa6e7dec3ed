// The structure of the repository: rooms stand on each other, packages list what they use, names mean one thing, and the map is true.

import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { describe, expect, test } from "vitest";

import { findImportsAgainstDirection } from "./layers.ts";
import { isProduct, isTest, packageOf, readSourceFile, readSourceTree, ROOT, type SourceFile } from "./source-tree.ts";

const files = readSourceTree();
const product = files.filter(({ path }) => isProduct(path));

/** The repository with one more file. */
function plant(path: string, text: string): SourceFile[] {
  return [...files, readSourceFile(path, text, new Set(files.map((file) => file.path)))];
}

const isSimulator = (path: string) => path.startsWith("packages/gemini-simulator/");

/** The imports between the product and the simulator of Gemini. */
function findCrossings(all: readonly SourceFile[]): string[] {
  return all
    .filter(({ path }) => isProduct(path))
    .flatMap(({ path, imports }) =>
      imports
        .filter((one) => one.path !== undefined && isProduct(one.path) && isSimulator(one.path) !== isSimulator(path))
        .map(({ specifier }) => `${path} imports ${specifier}`),
    );
}

/** The packages that files import. */
function packagesOf(importers: readonly SourceFile[]): string[] {
  const names = importers.flatMap(({ imports }) => imports.map(packageOf));
  return [...new Set(names)].filter((name) => name !== undefined);
}

describe("imports run one way", () => {
  test("between packages, and between the rooms of the API and of the worker", () => {
    expect(files.length).toBeGreaterThan(300);
    expect(findImportsAgainstDirection(files)).toEqual([]);
  });

  test.for([
    ["packages/shared/src/planted.ts", 'import { within } from "@sluice/signature/verify";'],
    ["packages/signature/src/planted.ts", 'import type { Filter } from "@sluice/filter/compile";'],
    ["packages/store/src/log/planted.ts", 'export { openQueueBackend } from "@sluice/queue/open-backend";'],
    ["apps/worker/src/planted.ts", 'import { startGateway } from "@sluice/gateway/gateway";'],
    ["apps/gateway/src/api/http/planted.ts", 'import { needsAdmin } from "../access/authentication.ts";'],
    ["apps/gateway/src/api/log/planted.ts", 'const acting = await import("../acting/wake.ts");'],
    ["apps/gateway/src/http/planted.ts", 'import "../api/api.ts"; import "../ingress/ingress.ts";'],
    ["apps/worker/src/breaker/planted.ts", 'import { Lane } from "../deliver/lane.ts";'],
  ])("a planted import against the direction is found: %s", ([path = "", text = ""]) => {
    expect(findImportsAgainstDirection(plant(path, text))).toContainEqual(expect.stringContaining(path));
  });

  test("the simulator of Gemini and the product import nothing of each other", () => {
    expect(findCrossings(files)).toEqual([]);
    const planted = [
      ["packages/gemini-simulator/src/planted.ts", 'import { signV1 } from "@sluice/signature/signing/v1";'],
      ["apps/worker/src/planted.ts", 'import { Seeded } from "@sluice/gemini-simulator/seeded";'],
    ] as const;
    for (const [path, text] of planted) expect(findCrossings(plant(path, text))).toHaveLength(1);
  });

  test("a room without a place is found", () => {
    const found = findImportsAgainstDirection(plant("apps/worker/src/attic/planted.ts", "export {};"));
    expect(found).toEqual(["apps/worker/src/attic/planted.ts is in the room attic, which has no place in the layers"]);
  });
});

describe("each package.json", () => {
  /** Read from the disk, and not imported. */
  const SERVED_AS_FILES = new Set(["swagger-ui-dist"]);
  /** Run as a program by a test. openapi-typescript uses this version, too. */
  const RUN_BY_TESTS = new Set(["typescript"]);
  const manifests = ["package.json", ...globSync("{apps,packages}/*/package.json", { cwd: ROOT })];

  test.for(manifests)("lists what its package imports, and nothing else: %s", (manifest) => {
    const { dependencies = {}, devDependencies = {} } = JSON.parse(readFileSync(join(ROOT, manifest), "utf8")) as {
      dependencies?: Record<string, string>;
      devDependencies?: Record<string, string>;
    };
    const folder = dirname(manifest);
    const own = files.filter(({ path }) =>
      folder === "." ? !/^(apps|packages)\//.test(path) : path.startsWith(`${folder}/`),
    );
    const all = packagesOf(own);
    const listed = [...Object.keys(dependencies), ...Object.keys(devDependencies)];
    expect(all.filter((name) => !listed.includes(name))).toEqual([]);
    if (folder === ".") return;
    // What the app or package itself runs with, and what only its tests do.
    const running = packagesOf(own.filter(({ path }) => !isTest(path)));
    expect(running.filter((name) => !(name in dependencies))).toEqual([]);
    expect(Object.keys(dependencies).filter((name) => !running.includes(name) && !SERVED_AS_FILES.has(name))).toEqual(
      [],
    );
    const isUnused = (name: string) =>
      !all.includes(name) && !RUN_BY_TESTS.has(name) && !all.includes(name.replace(/^@types\//, ""));
    expect(Object.keys(devDependencies).filter(isUnused)).toEqual([]);
  });
});

describe("the sources", () => {
  test("hold nothing that only tests use", () => {
    const running = files.filter(({ path }) => !isTest(path));
    const imported = new Map<string, Set<string>>();
    for (const { imports } of running) {
      for (const { path, names } of imports) {
        if (path === undefined) continue;
        const known = imported.get(path) ?? new Set();
        imported.set(path, new Set([...known, ...names]));
      }
    }
    const unused = product.flatMap(({ path, exportedValues, uses }) => {
      // A process starts with its main.ts. The schema names every table, also those that are only read by SQL.
      if (/\/main\.tsx?$/.test(path) || path.endsWith("/schema.ts")) return [];
      const names = imported.get(path);
      if (names === undefined) return [path];
      if (names.has("*")) return [];
      return exportedValues
        .filter((name) => !names.has(name) && uses.get(name) === 1)
        .map((name) => `${path}: ${name}`);
    });
    expect(unused).toEqual([]);
  });

  test("have no two functions, classes or types of one name", () => {
    // openapi-typescript chooses the names of what it makes.
    const written = product.filter(({ path }) => path !== "packages/client/src/api-types.ts");
    const places = Map.groupBy(
      written.flatMap(({ path, declared }) => [...new Set(declared)].map((name) => ({ name, path }))),
      ({ name }) => name,
    );
    const shared = [...places].filter(([, all]) => all.length > 1);
    expect(Object.fromEntries(shared.map(([name, all]) => [name, all.map(({ path }) => path)]))).toEqual({});
  });

  test("read the environment in main.ts alone", () => {
    const readers = product.filter(({ path }) => readFileSync(join(ROOT, path), "utf8").includes("process.env"));
    expect(readers.filter(({ path }) => !path.endsWith("/src/main.ts")).map(({ path }) => path)).toEqual([]);
  });
});

const architecture = readFileSync(join(ROOT, "ARCHITECTURE.md"), "utf8");
const section = (title: string) => architecture.split(`\n## ${title}\n`)[1]?.split("\n## ")[0] ?? "";

test("the walk in ARCHITECTURE.md names files and functions that exist, and none twice", () => {
  const hops = [...section("The walk of one event").matchAll(/^\| `([^`]+\.ts)` \| `([^`]+)` \|/gm)];
  expect(hops.length).toBeGreaterThan(20);
  const missing = hops.filter(([, path = "", name = ""]) => {
    const text = existsSync(join(ROOT, path)) ? readFileSync(join(ROOT, path), "utf8") : "";
    return !new RegExp(`(?:^|[^\\w#.])${name}(?:\\(|<|:| =)`, "m").test(text);
  });
  expect(missing.map(([row]) => row)).toEqual([]);
  const named = hops.map(([, path, name]) => `${path} ${name}`);
  expect(named.filter((hop, index) => named.indexOf(hop) !== index)).toEqual([]);
});

describe("the map in ARCHITECTURE.md", () => {
  const map = section("The map");
  const rows = [...map.matchAll(/^\| ([^|]+) \|/gm)].flatMap(([, cell = ""]) => [...cell.matchAll(/`([^`]+)\/`/g)]);
  const mapped = rows.map(([, folder = ""]) => folder);

  test("names folders that exist", () => {
    expect(mapped.length).toBeGreaterThan(30);
    expect(mapped.filter((folder) => !existsSync(join(ROOT, folder)))).toEqual([]);
  });

  test("has every folder", () => {
    const tops = ["apps", "packages", "scripts", "tests", "bench", "examples", "docs", "drizzle", "deploy"];
    const folders = tops.flatMap((top) =>
      globSync(`${top}/**/*.{ts,mjs,md,sql,json}`, { cwd: ROOT, exclude: (path) => path.includes("node_modules") }),
    );
    // The folder of a package.json holds nothing but its src.
    const held = new Set(folders.filter((path) => !path.endsWith("package.json")).map((path) => dirname(path)));
    expect([...held].filter((folder) => !mapped.includes(folder)).toSorted()).toEqual([]);
  });
});
