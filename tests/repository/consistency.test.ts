// Facts that stand in two places are the same in both.

import { globSync, readFileSync } from "node:fs";

import { gatewayConfig } from "@sluice/gateway/gateway-config";
import { ERROR_CODES } from "@sluice/shared/runtime/errors";
import { REFUSAL_REASONS } from "@sluice/signature/refusal";
import { workerConfig } from "@sluice/worker/worker-config";
import { expect, test } from "vitest";

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
const matches = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map((match) => match[1] ?? "");

test("docs/errors.md explains every code with its status, and every reason, and no other", () => {
  const rows = matches(read("docs/errors.md"), /^\| `([a-z_]+)` \|/gm);
  expect(rows.toSorted()).toEqual([...Object.keys(ERROR_CODES), ...REFUSAL_REASONS].toSorted());
  for (const [, code, status] of read("docs/errors.md").matchAll(/^\| `([a-z_]+)` \| (\d{3}) \|/gm)) {
    expect({ code, status: ERROR_CODES[code as keyof typeof ERROR_CODES].status }).toEqual({
      code,
      status: Number(status),
    });
  }
});

test("every code has a test", () => {
  const tests = ["apps", "packages", "scripts", "tests"].flatMap((folder) =>
    globSync(`${folder}/**/*.test.ts`, {
      cwd: new URL("../..", import.meta.url),
      exclude: (path) => path.includes("node_modules"),
    }),
  );
  const text = tests.map(read).join("\n");
  expect(Object.keys(ERROR_CODES).filter((code) => !new RegExp(`\\b${code}\\b`).test(text))).toEqual([]);
});

test(".env.example and docs/settings.md have every setting, and no other", () => {
  const settings = [...new Set([...Object.keys(gatewayConfig.shape), ...Object.keys(workerConfig.shape)])].toSorted();
  // The last part is for the compose files, which compose.test.ts compares with it.
  const [example = ""] = read(".env.example").split("\n# --- docker compose ---");
  expect(matches(example, /^# ([A-Z_]+)=/gm).toSorted()).toEqual(settings);
  const table = read("docs/settings.md").split("## Settings")[1]?.split("\n## ")[0] ?? "";
  const rows = matches(table, /^\| ([^|]+)\|/gm).join(" ");
  expect(matches(rows, /`([A-Z_]+)`/g).toSorted()).toEqual(settings);
});

test("each fact in the README of the simulator of Gemini has the test that it names", () => {
  const facts = read("packages/gemini-simulator/README.md").split("## The facts that it keeps")[1]?.split("\n## ")[0];
  const named = matches(facts ?? "", /^\| [^|]+ \| [^|]+ \| ([^|]+) \|$/gm).filter(
    (name) => !/^(?:test|---)$/.test(name),
  );
  const tests = globSync("packages/gemini-simulator/src/**/*.test.ts", { cwd: new URL("../..", import.meta.url) });
  const names = matches(tests.map(read).join("\n"), /^test\("([^"]+)"/gm);
  expect(named.length).toBeGreaterThan(30);
  expect(named.filter((name) => !names.includes(name))).toEqual([]);
  expect(named.filter((name, index) => named.indexOf(name) !== index)).toEqual([]);
});

test("the image is built with the launcher's pnpm", () => {
  const versions = [read("Dockerfile"), read("scripts/launch.mjs"), read("CONTRIBUTING.md")].map(
    (text) => /pnpm@[0-9.]+/.exec(text)?.[0],
  );
  expect(new Set(versions).size).toBe(1);
});
