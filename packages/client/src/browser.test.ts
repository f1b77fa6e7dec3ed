// The client runs in a browser: it compiles against the types of a browser alone, which have nothing of Node.

import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { expect, onTestFinished, test } from "vitest";

const run = promisify(execFile);

const BROWSER = {
  compilerOptions: {
    target: "es2024",
    lib: ["es2024", "dom", "dom.asynciterable"],
    module: "nodenext",
    types: [],
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    allowImportingTsExtensions: true,
  },
};

/** Compiles a file of this folder as a browser's. @returns what the compiler says against it. */
async function compile(name: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "sluice-browser-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const project = join(folder, "tsconfig.json");
  writeFileSync(project, JSON.stringify({ ...BROWSER, files: [join(import.meta.dirname, name)] }));
  const tsc = join(import.meta.dirname, "../node_modules/.bin/tsc");
  return run(tsc, ["--project", project]).then(
    ({ stdout }) => stdout,
    (error: unknown) => (error as { stdout: string }).stdout,
  );
}

test("the client needs nothing of Node", async () => {
  expect(await compile("client.ts")).toBe("");
  // This file does need Node, so the check can fail.
  expect(await compile("browser.test.ts")).toContain("node:child_process");
});
