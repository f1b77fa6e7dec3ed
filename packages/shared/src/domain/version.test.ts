// The order of versions decides whether a process may use a database.

import { readFileSync } from "node:fs";

import { expect, test } from "vitest";

import { isAtLeast, SLUICE_VERSION } from "./version.ts";

test("the version in the code is the version of package.json", () => {
  const manifest = JSON.parse(readFileSync(new URL("../../../../package.json", import.meta.url), "utf8"));
  expect(SLUICE_VERSION).toBe(manifest.version);
});

test.for([
  ["0.2.0", "0.2.0", true],
  ["0.10.0", "0.9.9", true],
  ["1.0.0", "0.99.99", true],
  ["0.2.0", "0.2.1", false],
  ["0.9.9", "0.10.0", false],
  ["0.2.0", "", false],
  ["0.2.0", "0.2", false],
] as const)("%s is at least %s: %s", ([version, oldest, expected]) => {
  expect(isAtLeast(version, oldest)).toBe(expected);
});
