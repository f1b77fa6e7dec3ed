// docs/cli.md and the man page have the commands as they are. After a change, write them again: `npm test -- cli-reference -u`.

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

import { EXIT } from "@sluice/cli/exit-codes";
import { expect, test } from "vitest";

import { writeCliPage, writeManPage } from "../support/cli-reference.ts";

const PAGE = new URL("../../docs/cli.md", import.meta.url);

test("docs/cli.md has every command with its options", async () => {
  const page = writeCliPage(readFileSync(PAGE, "utf8"));
  expect(page).toContain("### sluice deliveries retry");
  await expect(page).toMatchFileSnapshot("../../docs/cli.md");
});

test("docs/cli.md has every exit code, and no other", () => {
  const rows = [...readFileSync(PAGE, "utf8").matchAll(/^\| (\d+) \| /gm)].map(([, code]) => Number(code));
  expect(rows).toEqual(Object.values(EXIT));
});

test("the man page has every command with its options", async () => {
  await expect(writeManPage()).toMatchFileSnapshot("../../docs/sluice.1");
});

test.skipIf(spawnSync("groff", ["--version"]).status !== 0)("groff finds no fault with the man page", () => {
  const { stderr } = spawnSync("groff", ["-Kutf8", "-man", "-Tutf8", "-ww", "-z"], {
    input: writeManPage(),
    encoding: "utf8",
  });
  expect(stderr).toBe("");
});
