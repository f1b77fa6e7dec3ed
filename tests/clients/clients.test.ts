// Makes a client from the relay's own OpenAPI document with each generator of docs/clients.md, compiles it without a change,
// and runs its program against a relay. It fetches generators and libraries, so it is asked for: `npm run test:clients`.

import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";

import { createSluiceClient, type SluiceClient } from "@sluice/client/client";
import { expect, onTestFinished } from "vitest";

import { findMissingTool } from "../support/installed.ts";
import { test } from "../support/relay.ts";
import { until } from "../support/wait.ts";
import { type ClientGuide, readClientGuides } from "./guide.ts";

const run = promisify(execFile);

const TOOLS: Record<string, string[]> = {
  TypeScript: ["npm"],
  Python: ["python3"],
  Go: ["go"],
  Java: ["java", "mvn"],
  "Python with pydantic": ["python3", "java", "mvn"],
};
/** The first run of a generator fetches it, and Go compiles it. */
const STEP_LIMIT_MS = 900_000;
const EVENTS = 5;

const whyNot = ({ title }: ClientGuide): string | undefined => {
  if (process.env["SLUICE_TEST_CLIENTS"] !== "all") return "npm run test:clients runs it";
  const missing = findMissingTool(TOOLS[title] ?? []);
  return missing && `${missing} is not installed`;
};

/** Runs each step of a section in a folder of its own. @returns what its program printed. */
async function follow({ steps }: ClientGuide, env: Record<string, string>): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "sluice-client-"));
  // The module cache of Go has files without write bits, but it is not in this folder.
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const document = await fetch(`${env["SLUICE_API"]}/openapi.json`);
  writeFileSync(join(folder, "openapi.json"), await document.text());
  const path = `${dirname(process.execPath)}${delimiter}${process.env["PATH"] ?? ""}`;
  let printed = "";
  for (const step of steps) {
    if (step.kind === "write") {
      writeFileSync(join(folder, step.name), step.text);
      continue;
    }
    const options = { cwd: folder, env: { ...process.env, ...env, PATH: path }, timeout: STEP_LIMIT_MS };
    const { stdout } = await run("nice", ["bash", "-e", "-o", "pipefail", "-c", step.script], {
      ...options,
      maxBuffer: 64 * 1024 * 1024,
    }).catch((error: unknown) => {
      const { stdout: out, stderr } = error as { stdout: string; stderr: string };
      throw new Error(`${step.script}\n${out.slice(-8_000)}\n${stderr.slice(-8_000)}`, { cause: error });
    });
    printed = stdout;
  }
  return printed;
}

/** @returns what it had to delete. */
async function deleteMade(api: SluiceClient): Promise<string[]> {
  const made: string[] = [];
  for await (const { id, name } of api.list("/v1/sources")) {
    if (name !== "partner") continue;
    made.push(id);
    await api.delete("/v1/sources/{id}", { params: { path: { id } } });
  }
  for await (const { id, name } of api.list("/v1/targets")) {
    if (name !== "billing") continue;
    made.push(id);
    await api.delete("/v1/targets/{id}", { params: { path: { id } } });
  }
  return made;
}

async function countAll(list: AsyncIterable<unknown>): Promise<number> {
  let count = 0;
  for await (const _ of list) count++;
  return count;
}

const guides = readClientGuides();

test("docs/clients.md has a section for each client", () => {
  expect(guides.map(({ title }) => title)).toEqual(Object.keys(TOOLS));
});

for (const guide of guides) {
  const reason = whyNot(guide);
  test.skipIf(reason !== undefined)(
    `a client in ${guide.title} is made and works${reason === undefined ? "" : ` (skipped: ${reason})`}`,
    { timeout: 2 * STEP_LIMIT_MS },
    async ({ relay, receiver }) => {
      const api = createSluiceClient({ baseUrl: relay.apiUrl, apiKey: relay.apiKey });
      // A program that fails leaves something behind.
      onTestFinished(async () => void (await deleteMade(api)));
      const countSucceeded = () => countAll(api.list("/v1/deliveries", { status: ["succeeded"] }));
      await relay.createTarget(receiver);
      const succeeded = (await countSucceeded()) + EVENTS;
      for (let sent = 0; sent < EVENTS; sent++) await relay.sendEvent();
      await until(async () => (await countSucceeded()) === succeeded);
      const events = await countAll(api.list("/v1/events", { source: "gemini" }));

      const printed = await follow(guide, {
        SLUICE_API: relay.apiUrl,
        SLUICE_API_KEY: relay.apiKey,
        RECEIVER: receiver.url,
      });
      const [found, replayed, gone] = printed.trim().split("\n");
      expect(found).toBe(`${succeeded} deliveries; the first got 200, now pending`);
      expect(replayed).toBe(`replayed ${events} events: succeeded`);
      expect(gone).toContain("not_found");
      const { data: operations } = await api.get("/v1/operations", { params: { query: { limit: 1 } } });
      expect(operations[0]).toMatchObject({ replay: { targets: [{ created: events }] } });
      expect(await deleteMade(api)).toEqual([]);
    },
  );
}
