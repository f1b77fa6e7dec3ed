// /cli/sluice.mjs: the command comes without a key, and is fetched again only after it has changed.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, onTestFinished } from "vitest";

import { test } from "../../../../../tests/support/api/test-api.ts";
import { createApi } from "../api.ts";

test("the command is served without a key, as JavaScript, with a tag that changes with it", async ({ api }) => {
  const directory = mkdtempSync(join(tmpdir(), "sluice-served-cli-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const cliFile = join(directory, "sluice.mjs");
  writeFileSync(cliFile, "first");
  const app = createApi({ ...api, cliFile });
  const served = await app.request("/cli/sluice.mjs");
  expect(served.status).toBe(200);
  expect(await served.text()).toBe("first");
  expect(served.headers.get("content-type")).toBe("text/javascript; charset=utf-8");
  expect(served.headers.get("cache-control")).toBe("no-cache");
  const headers = { "if-none-match": served.headers.get("etag") ?? "" };
  expect((await app.request("/cli/sluice.mjs", { headers })).status).toBe(304);
  writeFileSync(cliFile, "second");
  const changed = await app.request("/cli/sluice.mjs", { headers });
  expect([changed.status, await changed.text()]).toEqual([200, "second"]);
});

test("a gateway without the bundle says so", async ({ api }) => {
  const answer = await createApi({ ...api, cliFile: "/nowhere/sluice.mjs" }).request("/cli/sluice.mjs");
  expect([answer.status, await answer.json()]).toMatchObject([
    404,
    { code: "not_found", detail: expect.stringContaining("runs from its sources") },
  ]);
});
