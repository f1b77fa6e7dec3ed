// `sluice open`: the link signs in once, as the key of the command, and leads to the id.

import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { findOwnRelay } from "@sluice/cli/relay/own-relay";
import { expect, onTestFinished } from "vitest";

import { type Relay, test } from "./support/relay.ts";
import { runSluice } from "./support/run-sluice.ts";

const EVENT = "evt_01h455vb4pex5vsknk084sn02q";

const envOf = (relay: Relay) => ({
  SLUICE_API: relay.apiUrl,
  SLUICE_API_KEY: relay.apiKey,
  XDG_CONFIG_HOME: "/nowhere",
});

/** Exchanges the code of a link for a session, as the page does. */
async function signIn(relay: Relay, link: string): Promise<number> {
  const code = new URLSearchParams(new URL(link).hash.slice(1)).get("code");
  const response = await fetch(`${relay.apiUrl}/console/session`, {
    method: "POST",
    headers: { "content-type": "application/json", origin: relay.apiUrl, "sec-fetch-site": "same-origin" },
    body: JSON.stringify({ code }),
  });
  return response.status;
}

test("without a terminal, and with --print, the link is printed; it signs in once and leads to the id", async ({
  relay,
}) => {
  const env = envOf(relay);
  const printed = await runSluice(["open", EVENT], { env });
  expect(printed).toMatchObject({ code: 0, err: "" });
  const link = printed.out.toString().trimEnd();
  expect(link.startsWith(`${relay.apiUrl}/console/sign-in#code=`)).toBe(true);
  expect(new URLSearchParams(new URL(link).hash.slice(1)).get("to")).toBe(`/console/go/${EVENT}`);
  expect(await signIn(relay, link)).toBeLessThan(300);
  expect(await signIn(relay, link)).toBe(401);
  const terminal = { columns: 80, rows: 24 };
  const first = await runSluice(["open", "--print"], { env: { ...env, BROWSER: "/bin/false" }, terminal });
  expect(first.out.toString()).toMatch(/#code=[^&]+\n$/);
});

test("in a terminal the browser gets the link, and a browser that fails leaves it on stdout", async ({ relay }) => {
  const directory = mkdtempSync(join(tmpdir(), "sluice-browser-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const browser = join(directory, "browser");
  writeFileSync(browser, `#!/bin/sh\nprintf %s "$1" > ${directory}/opened\n`);
  chmodSync(browser, 0o755);
  const terminal = { columns: 80, rows: 24 };
  const opened = await runSluice(["open", EVENT], { env: { ...envOf(relay), BROWSER: browser }, terminal });
  expect(opened).toMatchObject({ code: 0, out: Buffer.alloc(0), err: expect.stringContaining("open in your browser") });
  expect(await signIn(relay, readFileSync(join(directory, "opened"), "utf8"))).toBeLessThan(300);
  for (const failing of ["/bin/false", "/nowhere/browser"]) {
    const { code, out } = await runSluice(["open"], { env: { ...envOf(relay), BROWSER: failing }, terminal });
    expect(code).toBe(0);
    expect(out.toString()).toContain("/console/sign-in#code=");
  }
});

test("a wrong key ends with 4, a relay that is away with 6", async ({ relay }) => {
  const wrong = { ...envOf(relay), SLUICE_API_KEY: `sluice_${"x".repeat(43)}` };
  expect(await runSluice(["open"], { env: wrong })).toMatchObject({ code: 4, out: Buffer.alloc(0) });
  const away = { ...envOf(relay), SLUICE_API: "http://127.0.0.1:9" };
  expect(await runSluice(["open"], { env: away })).toMatchObject({ code: 6, out: Buffer.alloc(0) });
  expect(await runSluice(["open", "one", "two"], { env: wrong })).toMatchObject({ code: 2, out: Buffer.alloc(0) });
});

async function printInContainer(env: Record<string, string>): Promise<string> {
  const { out } = await runSluice(["open", "--print"], { env, findOwnRelay: () => findOwnRelay(env) });
  return out.toString().trimEnd();
}

test("where the gateway runs, the link has the address that API_URL gives to people, and the code is asked for inside", async ({
  relay,
}) => {
  const { hostname, port } = new URL(relay.apiUrl);
  const inside = { ADMIN_API_KEY: relay.apiKey, API_HOST: hostname, API_PORT: port, XDG_CONFIG_HOME: "/nowhere" };
  for (const [address, expected] of [
    ["http://sluice.internal:9081", "http://sluice.internal:9081"],
    ["https://example.com/relay/", "https://example.com/relay"],
    // API_HOST=0.0.0.0 publishes on every address, and is none that a browser opens.
    ["http://0.0.0.0:9081", "http://127.0.0.1:9081"],
    ["http://[::]:9081", "http://127.0.0.1:9081"],
    ["", relay.apiUrl],
  ] as const) {
    const link = await printInContainer({ ...inside, API_URL: address });
    expect(link.split("/console/sign-in#code=")[0]).toBe(expected);
    expect(await signIn(relay, link)).toBe(201);
  }
  // Of another relay, API_URL says nothing.
  const elsewhere = { ...inside, ...envOf(relay), API_PORT: "9", API_URL: "http://sluice.internal:9081" };
  expect((await printInContainer(elsewhere)).startsWith(`${relay.apiUrl}/console/`)).toBe(true);
});
