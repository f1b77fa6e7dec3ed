// The files of the console: what a browser may keep, what the page may load, and which paths get the page.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { brotliCompressSync, brotliDecompressSync } from "node:zlib";

import { expect, onTestFinished } from "vitest";

import { test, type TestApi } from "../../../../../tests/support/api/test-api.ts";
import { createApi } from "../api.ts";

const SCRIPT = "console.log(1);".repeat(100);

function openConsole(api: TestApi) {
  const directory = mkdtempSync(join(tmpdir(), "sluice-console-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const consoleDirectory = join(directory, "console");
  mkdirSync(join(consoleDirectory, "assets"), { recursive: true });
  writeFileSync(join(directory, "secret.json"), "secret");
  writeFileSync(join(consoleDirectory, ".hidden.json"), "secret");
  writeFileSync(join(consoleDirectory, "index.html"), "<!doctype html><title>Sluice</title>");
  writeFileSync(join(consoleDirectory, "icon.svg"), "<svg/>");
  writeFileSync(join(consoleDirectory, "assets", "main-1a2b.js"), SCRIPT);
  writeFileSync(join(consoleDirectory, "assets", "main-1a2b.js.br"), brotliCompressSync(SCRIPT));
  return createApi({ ...api, consoleDirectory });
}

test("the page is served for every path that is no file, and asked for again each time", async ({ api }) => {
  const app = openConsole(api);
  for (const path of [
    "/console/",
    "/console/events",
    "/console/events/evt_1?since=-24h",
    "/console/go/a:b",
    "/console/go/a.b",
  ]) {
    const page = await app.request(path);
    expect([path, page.status, await page.text()]).toEqual([path, 200, expect.stringContaining("<title>Sluice")]);
    expect(page.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(page.headers.get("cache-control")).toBe("no-cache");
    const headers = { "if-none-match": page.headers.get("etag") ?? "" };
    expect((await app.request(path, { headers })).status).toBe(304);
  }
  const plain = await app.request("/console?a=b");
  expect([plain.status, plain.headers.get("location")]).toEqual([302, "/console/?a=b"]);
});

test("the page may load its own files and ask this relay, and nothing else", async ({ api }) => {
  const { headers } = await openConsole(api).request("/console/");
  expect(headers.get("content-security-policy")).toBe(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; worker-src 'self'; " +
      "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  );
  expect(headers.get("x-content-type-options")).toBe("nosniff");
  expect(headers.get("referrer-policy")).toBe("no-referrer");
  expect(headers.get("cross-origin-opener-policy")).toBe("same-origin");
});

test("a file with a hash in its name is kept for a year, and comes compressed to whoever takes that", async ({
  api,
}) => {
  const app = openConsole(api);
  const path = "/console/assets/main-1a2b.js";
  const plain = await app.request(path);
  expect(await plain.text()).toBe(SCRIPT);
  expect(plain.headers.get("content-type")).toBe("text/javascript; charset=utf-8");
  expect(plain.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
  const small = await app.request(path, { headers: { "accept-encoding": "gzip, br" } });
  expect([small.headers.get("content-encoding"), small.headers.get("vary")]).toEqual(["br", "Accept-Encoding"]);
  expect(brotliDecompressSync(Buffer.from(await small.arrayBuffer())).toString()).toBe(SCRIPT);
  expect((await app.request(path, { headers: { "accept-encoding": "gzip" } })).headers.get("content-encoding")).toBe(
    "gzip",
  );
  const icon = await app.request("/console/icon.svg");
  expect([icon.headers.get("content-type"), icon.headers.get("cache-control")]).toEqual(["image/svg+xml", "no-cache"]);
  // The page in its place would not be JavaScript.
  expect((await app.request("/console/assets/main-old.js")).status).toBe(404);
});

test("no path leads out of the directory of the console, or to a hidden file", async ({ api }) => {
  const app = openConsole(api);
  for (const path of [
    "../secret.json",
    "%2e%2e/secret.json",
    "..%2fsecret.json",
    "assets/..%2f..%2fsecret.json",
    ".hidden.json",
    "%00.json",
  ]) {
    expect(await (await app.request(`/console/${path}`)).text()).not.toContain("secret");
  }
});

test("an unknown host name gets neither the page nor its files", async ({ api }) => {
  const app = openConsole(api);
  for (const path of ["/console/", "/console/icon.svg", "/console/assets/main-1a2b.js"]) {
    const answer = await app.request(path, { headers: { host: "evil.example:8081" } });
    expect([answer.status, await answer.json()]).toMatchObject([403, { code: "host_not_allowed" }]);
  }
});

test("a gateway without the files says so", async ({ api }) => {
  const answer = await createApi(api).request("/console/");
  expect([answer.status, await answer.json()]).toMatchObject([
    404,
    { code: "not_found", detail: expect.stringContaining("runs from its sources") },
  ]);
});

test("/ leads a browser to the console, and tells a program what there is", async ({ api }) => {
  const app = createApi(api);
  const browser = await app.request("/", { headers: { accept: "text/html,application/xhtml+xml,*/*;q=0.8" } });
  expect([browser.status, browser.headers.get("location")]).toEqual([302, "/console/"]);
  const program = await app.request("/", { headers: { accept: "*/*" } });
  expect([program.status, await program.json()]).toEqual([
    200,
    { console: "/console/", docs: "/docs", openapi: "/openapi.json", api: "/v1" },
  ]);
});
