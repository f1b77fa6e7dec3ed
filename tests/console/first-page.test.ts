// What a browser loads before it shows the overview: the page, its styles, and the scripts that import each other.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

import { beforeEach, expect, inject, test } from "vitest";

const MAX_GZIPPED_BYTES = 160_000;

beforeEach(({ skip }) => {
  skip(inject("chromium") === undefined, "the console is built only where there is a chromium on PATH");
});

test("the first page takes at most 160 KB, gzipped", () => {
  const directory = inject("consoleDirectory");
  const read = (path: string) => readFileSync(join(directory, path));
  const page = read("index.html");
  const overview = readdirSync(join(directory, "assets")).find((name) => /^overview-screen-[\w-]+\.js$/.test(name));
  const files = new Set<string>();
  const add = (name: string) => {
    if (files.has(name)) return;
    files.add(name);
    // `from"./a.js"` and `import"./a.js"`; `import("./a.js")` is loaded later.
    for (const [, next = ""] of read(`assets/${name}`)
      .toString()
      .matchAll(/(?:from|import)"\.\/([\w.-]+)"/g))
      add(next);
  };
  for (const [, name = ""] of page.toString().matchAll(/\/console\/assets\/([\w.-]+)"/g)) add(name);
  add(overview ?? "no overview-screen");
  const bytes = [page, ...[...files].map((name) => read(`assets/${name}`))].map((content) => gzipSync(content).length);
  expect(files.size).toBeGreaterThan(3);
  expect(bytes.reduce((sum, one) => sum + one, 0)).toBeLessThanOrEqual(MAX_GZIPPED_BYTES);
});
