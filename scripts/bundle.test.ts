// The bundles run as they run in the image: in a folder that holds nothing else.

import { execFile } from "node:child_process";
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { SLUICE_VERSION } from "@sluice/shared/domain/version";
import { generateSigningSecret } from "@sluice/signature/secret";
import { expect, onTestFinished, test } from "vitest";

import { startCollector } from "../tests/support/collector.ts";
import { createTestDatabase } from "../tests/support/database.ts";
import { startMember } from "../tests/support/member.ts";
import { claimPort } from "../tests/support/ports.ts";
import { startReceiver } from "../tests/support/receiver.ts";
import { geminiEvent, signWebhook } from "../tests/support/sign.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const run = promisify(execFile);
const COMMIT = "0123456789abcdef0123456789abcdef01234567";

const majorOf = async (node: string) => Number((await run(node, ["-p", "process.versions.node"])).stdout.split(".")[0]);

async function makeBundles(): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), "sluice-bundle-test-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const env = { ...process.env, SLUICE_COMMIT: COMMIT };
  await run(process.execPath, [join(ROOT, "scripts", "bundle.ts"), directory], { env });
  const names = [
    "THIRD-PARTY-LICENSES",
    "console",
    "demo-receiver.mjs",
    "drizzle",
    "gateway.mjs",
    "gemini-sdk.mjs",
    "make-secrets.mjs",
    "migrate.mjs",
    "node_modules",
    "opentelemetry.mjs",
    "sluice-stores.mjs",
    "sluice.mjs",
    "worker.mjs",
  ];
  expect(readdirSync(directory).toSorted()).toEqual(names);
  expect(readFileSync(join(directory, "THIRD-PARTY-LICENSES"), "utf8")).toMatch(
    /^bullmq .* \(MIT\)\n\n.*MIT License.*^react .* \(MIT\)/ms,
  );
  return directory;
}

test("an unknown app is refused, and the message names it", async () => {
  const script = join(ROOT, "scripts", "bundle.ts");
  await expect(run(process.execPath, [script, "dist", "no-such-app"])).rejects.toMatchObject({
    stderr: expect.stringContaining("There is no no-such-app to bundle"),
  });
});

test("the bundles make the secrets and the tables, accept an event, deliver it, and show the API reference", async () => {
  const directory = await makeBundles();
  // Nothing is traced here, so nothing may load it.
  rmSync(join(directory, "opentelemetry.mjs"));
  const { url: databaseUrl, drop } = await createTestDatabase(null);
  onTestFinished(drop);
  const receiver = await startReceiver();
  onTestFinished(receiver.stop);
  const dataDir = mkdtempSync(join(directory, "data-"));
  const [port, apiPort, workerPort] = [await claimPort(), await claimPort(), await claimPort()];
  const secret = generateSigningSecret().text;
  const env = {
    DATA_DIR: dataDir,
    DATABASE_URL: databaseUrl,
    MASTER_KEY_FILE: join(dataDir, "master-key"),
    ADMIN_API_KEY_FILE: join(dataDir, "admin-api-key"),
    GEMINI_SIGNING_SECRET: secret,
    HOST: "127.0.0.1",
    TARGET_LOOPBACK: "allow",
    PORT: String(port),
    API_PORT: String(apiPort),
    WORKER_PORT: String(workerPort),
  };
  await run(process.execPath, [join(directory, "make-secrets.mjs")], { env: { DATA_DIR: dataDir } });
  expect(readdirSync(dataDir)).toEqual(expect.arrayContaining(["admin-api-key", "master-key"]));
  for (const name of ["gateway", "worker", "migrate", "make-secrets", "sluice"]) {
    const { stdout } = await run(process.execPath, [join(directory, `${name}.mjs`), "--version"], { env: {} });
    expect(stdout, name).toMatch(new RegExp(`^${SLUICE_VERSION.replaceAll(".", "\\.")}`));
  }
  const migrated = await run(process.execPath, [join(directory, "migrate.mjs")], { env });
  expect(migrated.stdout).toContain("up to date");

  const api = `http://127.0.0.1:${apiPort}`;
  for (const [name, readyUrl] of [
    ["gateway", `${api}/readyz`],
    ["worker", `http://127.0.0.1:${workerPort}/readyz`],
  ] as const) {
    const entry = join(directory, `${name}.mjs`);
    const app = startMember({ name, entry, readyUrl, env, stopLimitMs: 60_000 }, join(directory, `${name}.log`));
    onTestFinished(app.stop);
    await app.waitUntilReady();
  }
  const metrics = await (await fetch(`http://127.0.0.1:${workerPort}/metrics`)).text();
  expect(metrics).toContain(`\nsluice_build_info{version="${SLUICE_VERSION}",commit="${COMMIT}"} 1\n`);
  for (const asset of ["swagger-ui.css", "swagger-ui-bundle.js"]) {
    const served = await fetch(`${api}/docs/${asset}`);
    expect([served.status, (await served.text()).length > 100_000]).toEqual([200, true]);
  }
  const page = await fetch(`${api}/`, { headers: { accept: "text/html" } });
  expect([page.status, page.url]).toEqual([200, `${api}/console/`]);
  const script = /<script [^>]*src="(\/console\/assets\/[^"]+\.js)"/.exec(await page.text())?.[1];
  const loaded = await fetch(`${api}${script}`, { headers: { "accept-encoding": "br" } });
  expect([loaded.status, loaded.headers.get("content-encoding")]).toEqual([200, "br"]);
  const command = await fetch(`${api}/cli/sluice.mjs`);
  expect([command.status, await command.text()]).toEqual([200, readFileSync(join(directory, "sluice.mjs"), "utf8")]);
  // As in a container: the command finds the address and the key of its gateway by itself.
  const inContainer = await run(process.execPath, [join(directory, "sluice.mjs"), "whoami", "--json"], {
    env: { API_PORT: env.API_PORT, ADMIN_API_KEY_FILE: env.ADMIN_API_KEY_FILE, HOME: dataDir },
  });
  expect(JSON.parse(inContainer.stdout)).toMatchObject({ api, name: "ADMIN_API_KEY", scopes: ["admin"] });
  const created = await fetch(`${api}/v1/targets`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${readFileSync(join(dataDir, "admin-api-key"), "utf8").trim()}`,
      "content-type": "application/json",
    },
    body: JSON.stringify({ uri: receiver.url, subscribed_events: ["*"] }),
  });
  expect([created.status, await created.json()]).toMatchObject([201, { uri: receiver.url }]);
  const event = signWebhook({ secret, body: geminiEvent() });
  const accepted = await fetch(`http://127.0.0.1:${port}/in/gemini`, {
    method: "POST",
    headers: event.headers,
    body: event.body,
  });
  expect([accepted.status, await accepted.json()]).toMatchObject([200, { webhook_id: event.webhookId }]);
  const [delivered] = await receiver.waitFor(1, 120_000);
  expect(delivered?.body).toEqual(event.body);
});

test("the command runs alone on the Node of this machine, and says where commands run that need the stores", async () => {
  const directory = await makeBundles();
  const alone = mkdtempSync(join(directory, "alone-"));
  copyFileSync(join(directory, "sluice.mjs"), join(alone, "sluice.mjs"));
  expect(readFileSync(join(alone, "sluice.mjs"), "utf8")).toMatch(/^#!\/usr\/bin\/env node\n/);
  expect(statSync(join(alone, "sluice.mjs")).size).toBeLessThan(1_000_000);
  // `npm test` itself needs no more than Node 18, so the machine may have one that is too old for the command.
  const nodes = ["node", process.execPath];
  const able = await Promise.all(nodes.map(async (node) => (await majorOf(node)) >= 20));
  for (const node of nodes.filter((_, index) => able[index])) {
    const { stdout } = await run(node, [join(alone, "sluice.mjs"), "--help"]);
    expect(stdout).toContain("Usage: sluice");
    const backup = run(node, [join(alone, "sluice.mjs"), "backup", "file"], { env: { PATH: process.env["PATH"] } });
    await expect(backup).rejects.toMatchObject({
      code: 2,
      stdout: "",
      stderr: expect.stringContaining("docker compose exec gateway sluice backup"),
    });
  }
});

test("the bundle of OpenTelemetry is a file that sends spans, and the apps hold none of it", async () => {
  const directory = await makeBundles();
  const collector = await startCollector();
  onTestFinished(collector.stop);
  for (const app of ["gateway", "worker"]) {
    const text = readFileSync(join(directory, `${app}.mjs`), "utf8");
    expect(text).toContain('import("./opentelemetry.mjs")');
    expect(text).not.toContain("BatchSpanProcessor");
  }
  const script = `
    const { openOtel } = await import(${JSON.stringify(join(directory, "opentelemetry.mjs"))});
    const options = { endpoint: process.argv[1], service: "bundled", OTEL_TRACES_SAMPLER: "parentbased_always_on" };
    const tracing = openOtel(options, { warn: console.error });
    const parent = { kind: "begins", eventId: "01982a3b-0000-7000-8000-000000000001" };
    tracing.begin({ name: "bundled", kind: "server", parent, startMs: Date.now(), attributes: {} }).end(Date.now(), {});
    await tracing.close();`;
  const { stderr } = await run(process.execPath, ["--input-type=module", "-e", script, collector.url]);
  expect(stderr).toBe("");
  expect(collector.spans).toMatchObject([
    { name: "bundled", traceId: "01982a3b000070008000000000000001", resource: { "service.name": "bundled" } },
  ]);
});
