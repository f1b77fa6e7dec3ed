// The repository as a list of source files with what they import and declare, read by a parser, for the tests that hold its structure.

import { globSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { fileURLToPath } from "node:url";

import { parseSync, Visitor } from "rolldown/utils";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

const FOLDERS = ["apps", "packages", "scripts", "tests", "bench", "examples"];

type Statement = ReturnType<typeof parseSync>["program"]["body"][number];

export interface Import {
  /** As it is written: `./ids.ts`, `@sluice/store/schema`, `pg`. */
  specifier: string;
  /** The path of the imported source file; undefined for a package of others. */
  path: string | undefined;
  /** The names that are imported; `*` stands for all of them. */
  names: string[];
}

export interface SourceFile {
  /** From the root of the repository, with slashes. */
  path: string;
  imports: Import[];
  /** Top-level functions, classes, interfaces and types, and exported constants. */
  declared: string[];
  /** Of these, the exported values: no types. */
  exportedValues: string[];
  /** How often each name occurs in the file. */
  uses: Map<string, number>;
}

/** All source files of the repository. */
export function readSourceTree(): SourceFile[] {
  const paths = FOLDERS.flatMap((folder) =>
    globSync(`${folder}/**/*.{ts,tsx,mjs}`, { cwd: ROOT, exclude: (path) => path.includes("node_modules") }),
  );
  const known = new Set(paths);
  return paths.toSorted().map((path) => readSourceFile(path, readFileSync(join(ROOT, path), "utf8"), known));
}

/** @param known the paths of all source files, by which an import is found. */
export function readSourceFile(path: string, text: string, known: ReadonlySet<string>): SourceFile {
  const { program, errors } = parseSync(path, text);
  if (errors[0] !== undefined) throw new Error(`${path}: ${errors[0].message}`);
  const imports: Import[] = [];
  const declared: string[] = [];
  const exportedValues: string[] = [];
  const uses = new Map<string, number>();
  const addImport = (specifier: string, names: string[]) =>
    imports.push({ specifier, path: resolveImport(path, specifier, known), names });

  for (const statement of program.body) {
    const isExport = statement.type === "ExportNamedDeclaration";
    const declaration = isExport ? statement.declaration : statement;
    const { names, isValue } = namesOf(declaration, isExport);
    declared.push(...names);
    if (isExport && isValue) exportedValues.push(...names);
  }
  new Visitor({
    ImportDeclaration: ({ source, specifiers }) =>
      void addImport(
        source.value,
        specifiers.map((one) =>
          one.type === "ImportSpecifier" && one.imported.type === "Identifier" ? one.imported.name : "*",
        ),
      ),
    ExportNamedDeclaration: ({ source }) => {
      if (source !== null) addImport(source.value, ["*"]);
    },
    ExportAllDeclaration: ({ source }) => void addImport(source.value, ["*"]),
    ImportExpression: ({ source }) => {
      if (source.type === "Literal" && typeof source.value === "string") addImport(source.value, ["*"]);
    },
    Identifier: ({ name }) => void uses.set(name, (uses.get(name) ?? 0) + 1),
  }).visit(program);
  return { path, imports, declared, exportedValues, uses };
}

/** The names that a top-level statement declares. Constants count when they are exported or are functions. */
function namesOf(declaration: Statement | null, isExport: boolean): { names: string[]; isValue: boolean } {
  const type = declaration?.type;
  if (type === "FunctionDeclaration" || type === "ClassDeclaration") {
    return { names: declaration.id === null ? [] : [declaration.id.name], isValue: true };
  }
  if (type === "TSInterfaceDeclaration" || type === "TSTypeAliasDeclaration") {
    return { names: [declaration.id.name], isValue: false };
  }
  if (type !== "VariableDeclaration") return { names: [], isValue: false };
  const ids = declaration.declarations
    .filter(({ init }) => isExport || init?.type === "ArrowFunctionExpression")
    .map(({ id }) => id)
    .filter((id) => id.type === "Identifier");
  return { names: ids.map(({ name }) => name), isValue: true };
}

function resolveImport(from: string, specifier: string, known: ReadonlySet<string>): string | undefined {
  if (specifier.startsWith(".")) return posix.join(posix.dirname(from), specifier);
  const [, name, rest] = /^@sluice\/([^/]+)\/(.+)$/.exec(specifier) ?? [];
  return ["apps", "packages"].map((folder) => `${folder}/${name}/src/${rest}.ts`).find((path) => known.has(path));
}

/** The name of the package that an import needs; undefined for a file beside it and for what Node brings. */
export function packageOf({ specifier }: Import): string | undefined {
  if (specifier.startsWith(".") || specifier.startsWith("node:")) return undefined;
  return /^(@[^/]+\/[^/]+|[^/]+)/.exec(specifier)?.[1];
}

/** Tests and what only they use. */
export const isTest = (path: string): boolean => path.endsWith(".test.ts") || /^(tests|bench)\//.test(path);

/** What the product consists of. */
export const isProduct = (path: string): boolean => /^(apps|packages)\/[^/]+\/src\//.test(path) && !isTest(path);
