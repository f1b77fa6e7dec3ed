// The console in a browser: the link that `sluice open` prints in the container, and what a client cannot do at the same
// port, with a published gateway and behind the proxy.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

import { chromium } from "playwright-core";

import { findChromium } from "../support/chromium.ts";
import { findMissingTool } from "../support/installed.ts";
import { type Clone, runDocker } from "./clone.ts";
import { CannotPlay, type Scenario } from "./scenario.ts";

const HEADER = "X-Forwarded-Email";
const ANN = "ann@example.com";
/** What a browser says of a request of the relay's own page. */
const OWN_PAGE = ["--header", "sec-fetch-site: same-origin", "--header", "content-type: application/json"];
const STEP_MS = 60_000;

export const consoleSignIn: Scenario = {
  name: "console",
  about:
    "the link of `sluice open` signs in, also behind the proxy, where no client names itself in the header of a proxy",
  run: async ({ clone, saw }) => {
    if (findMissingTool(["curl"]) !== undefined) throw new CannotPlay("there is no curl");
    const relay = await clone();
    await relay.mustCompose("up", "-d", "--build", "--wait");
    await lookAtConsole(relay, saw);

    // The proxy takes the ports of the gateway.
    await relay.mustCompose("down");
    relay.set({
      COMPOSE_FILE: "docker-compose.yml:compose.proxy.yaml",
      CONSOLE_IDENTITY_HEADER: HEADER,
      CONSOLE_IDENTITIES: `${ANN}=admin`,
    });
    await relay.mustCompose("up", "-d", "--wait");
    await lookAtConsole(relay, (text) => saw(`behind the proxy, ${text}`));

    for (const name of [HEADER, HEADER.toUpperCase(), HEADER.replaceAll("-", "_")]) {
      const { status, body } = await signInAsAnn(relay.apiUrl, name);
      assert.deepEqual([status, body.includes(`sent no header ${HEADER}`)], [401, true], `${name}: ${body}`);
    }
    saw(`behind the proxy, ${HEADER} of a client names nobody`);

    await relay.mustCompose("down");
    const page = readFileSync(join(relay.directory, "docs/console.md"), "utf8").split("### Behind Caddy")[1] ?? "";
    const [, override = "", address = ""] = /```yaml\n(.*?ipv4_address: ([\d.]+).*?)```/s.exec(page) ?? [];
    writeFileSync(join(relay.directory, "compose.override.yaml"), override);
    relay.set({
      COMPOSE_FILE: "docker-compose.yml:compose.proxy.yaml:compose.override.yaml",
      TRUSTED_PROXIES: address,
      CONSOLE_IDENTITY_FROM: "0.0.0.0/0",
    });
    await relay.mustCompose("up", "-d", "--wait");
    const { status, body } = await signInAsAnn(relay.apiUrl);
    assert.deepEqual([status, JSON.parse(body).name], [201, ANN], body);
    saw("behind the proxy, the same header from an address of CONSOLE_IDENTITY_FROM signs in");
    const [gateway] = await relay.containers("gateway");
    const past = await signInAsAnn(`http://${await addressOf(relay, gateway?.ID ?? "")}:8081`, HEADER, "localhost");
    assert.deepEqual([past.status, past.body.includes("TRUSTED_PROXIES")], [403, true], past.body);
    saw(`past the proxy, which alone is trusted (${address}), the header names nobody`);
  },
};

/** Signs in without a key, as the person whom a proxy names. */
function signInAsAnn(apiUrl: string, name = HEADER, host?: string): Promise<Answered> {
  const headers = ["--header", `${name}: ${ANN}`, ...(host === undefined ? [] : ["--header", `host: ${host}`])];
  return curl("--request", "POST", ...OWN_PAGE, ...headers, `${apiUrl}/console/session`);
}

async function lookAtConsole(relay: Clone, saw: (text: string) => void): Promise<void> {
  const link = await printLink(relay);
  const code = new URLSearchParams(new URL(link).hash.slice(1)).get("code");
  const session = `${relay.apiUrl}/console/session`;
  const exchange = (...words: string[]) => curl(...OWN_PAGE, ...words, "--data", JSON.stringify({ code }), session);
  const foreign = await exchange("--header", "host: evil.example");
  assert.deepEqual([foreign.status, JSON.parse(foreign.body).code], [403, "host_not_allowed"], foreign.body);
  const signedIn = await exchange();
  assert.equal(signedIn.status, 201, signedIn.body);
  const [cookie = ""] = (signedIn.headers["set-cookie"] ?? "").split(";");
  const asked = await curl("--header", `cookie: ${cookie}`, `${relay.apiUrl}/v1/keys/self`);
  assert.equal(asked.status, 200, asked.body);
  assert.equal((await exchange()).status, 401);
  saw(`the link ${link.split("#")[0]}#… signs in once`);

  const page = await curl(`${relay.apiUrl}/console/`);
  assert.equal(page.status, 200, page.body);
  const policy = page.headers["content-security-policy"] ?? "";
  assert.match(policy, /default-src 'none'/);
  assert.ok(!policy.includes("unsafe-"), policy);
  const paths = [...page.body.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map(([, path]) => path ?? "");
  assert.ok(paths.length >= 2, page.body);
  for (const path of paths) {
    const file = await curl(relay.apiUrl + path);
    assert.ok(file.status === 200 && !file.headers["content-type"]?.includes("text/html"), `${path}: ${file.status}`);
  }
  const stranger = await curl("--header", "host: evil.example", `${relay.apiUrl}/console/`);
  assert.deepEqual([stranger.status, JSON.parse(stranger.body).code], [403, "host_not_allowed"], stranger.body);
  saw(`the page has its ${paths.length} files and a policy, and nothing for the Host evil.example`);

  const program = findChromium();
  if (program === undefined) saw("there is no chromium here: no browser opened the link");
  else saw(`a browser that opens the link shows ${await openInBrowser(program, await printLink(relay))}`);
}

/** The link for a person on this machine: the container has another port. */
async function printLink(relay: Clone): Promise<string> {
  const link = (await relay.mustCompose("exec", "-T", "gateway", "sluice", "open", "--print")).trim();
  assert.ok(link.startsWith(`${relay.apiUrl}/console/sign-in#code=`), link);
  return link;
}

/** @returns the heading of the page. @throws Error when the page breaks its policy or throws. */
async function openInBrowser(executablePath: string, link: string): Promise<string> {
  // Chromium's sandbox does not start as root.
  const browser = await chromium.launch({ executablePath, chromiumSandbox: false });
  try {
    const page = await browser.newPage();
    page.setDefaultTimeout(STEP_MS);
    const faults: string[] = [];
    page.on("pageerror", (error) => faults.push(error.message));
    page.on("console", (message) => {
      // The browser says this of every answer that is an error. The page asks who is signed in before it sends the code.
      if (message.type() === "error" && !message.text().startsWith("Failed to load resource"))
        faults.push(message.text());
    });
    await page.goto(link);
    await page.locator("#main").waitFor();
    const heading = await page.getByRole("heading", { level: 1 }).first().textContent();
    assert.deepEqual(faults, []);
    return heading ?? "";
  } finally {
    await browser.close();
  }
}

/** Where this machine reaches a container in the network of the proxy. */
async function addressOf(relay: Clone, container: string): Promise<string> {
  const format = `{{(index .NetworkSettings.Networks "${relay.project}_proxy").IPAddress}}`;
  return (await runDocker(["inspect", "--format", format, container])).stdout.trim();
}

interface Answered {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/** Not fetch(), which sends no Host of the caller's choice. */
async function curl(...words: string[]): Promise<Answered> {
  const { stdout } = await promisify(execFile)("curl", ["--silent", "--show-error", "--include", ...words]);
  const [head = "", ...rest] = stdout.split("\r\n\r\n");
  const [first = "", ...lines] = head.split("\r\n");
  const headers = Object.fromEntries(
    lines.map((line) => [line.split(":", 1)[0]?.toLowerCase() ?? "", line.slice(line.indexOf(":") + 1).trim()]),
  );
  return { status: Number(first.split(" ")[1]), headers, body: rest.join("\r\n\r\n") };
}
