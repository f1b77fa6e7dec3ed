// Every row of the bench runs to its end and gives figures. This test does not judge the speed.

import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { expect, onTestFinished, test } from "vitest";

import { ROWS } from "../bench/rows.ts";

const SCRIPT = fileURLToPath(new URL("bench.ts", import.meta.url));
const LIMIT_MS = 1_800_000;

interface Written {
  quick: boolean;
  results: { row: string; figures: { what: string; value: number; unit: string }[] }[];
}

test("every row of the bench gives figures", { timeout: LIMIT_MS }, async () => {
  const directory = mkdtempSync(join(tmpdir(), "sluice-bench-test-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const json = join(directory, "result.json");
  const { stdout } = await promisify(execFile)(process.execPath, [SCRIPT, "quick", "--json", json]);
  const written = JSON.parse(readFileSync(json, "utf8")) as Written;
  expect(written.quick).toBe(true);
  expect(written.results.map(({ row }) => row)).toEqual(ROWS.map(({ name }) => name));
  for (const { row, figures } of written.results) {
    expect(figures, row).not.toEqual([]);
    for (const { what, value, unit } of figures) {
      expect(value, `${row}, ${what}, in ${unit}`).toBeGreaterThanOrEqual(0);
      expect(stdout).toContain(`| ${row} | ${what} |`);
    }
  }
});

test("an unknown row is refused, and the message names it", async () => {
  const run = promisify(execFile)(process.execPath, [SCRIPT, "no-such-row"]);
  await expect(run).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining("no-such-row") });
});
