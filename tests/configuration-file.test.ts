// CONFIG_FILE and `sluice apply`: a gateway becomes what its file says, at the start and on SIGHUP, and an invalid file changes
// nothing.

import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

import { expect, onTestFinished } from "vitest";

import { runCli } from "@sluice/cli/run-cli";
import { openLog } from "@sluice/shared/runtime/log";
import { readConfig } from "@sluice/shared/settings/read-config";
import { generateSigningSecret } from "@sluice/signature/secret";
import { startGateway } from "@sluice/gateway/gateway";
import { gatewayConfig } from "@sluice/gateway/gateway-config";

import { createTestDatabase, type TestDatabase } from "./support/database.ts";
import { type Relay, test } from "./support/relay.ts";
import { until } from "./support/wait.ts";

const MAIN = fileURLToPath(new URL("../apps/gateway/src/main.ts", import.meta.url));
const EXAMPLE = fileURLToPath(new URL("../examples/sluice.yaml", import.meta.url));
const API_KEY = `test-key-${randomBytes(16).toString("hex")}`;

const targetText = (name: string, more = "") =>
  `  - name: ${name}\n    uri: https://${name}.example.com/\n    subscribed_events: ['*']\n${more}`;

/** A gateway's settings with a file of its own, and a database of its own. */
async function prepare(content: string) {
  const database = await createTestDatabase();
  const directory = mkdtempSync(join(tmpdir(), "sluice-config-"));
  const file = join(directory, "sluice.yaml");
  writeFileSync(file, content);
  onTestFinished(async () => {
    await database.drop();
    rmSync(directory, { recursive: true });
  });
  const env = {
    DATABASE_URL: database.url,
    HOST: "127.0.0.1",
    PORT: "0",
    API_PORT: "0",
    MASTER_KEY: randomBytes(32).toString("base64"),
    ADMIN_API_KEY: API_KEY,
    DATA_DIR: directory,
    CONFIG_FILE: file,
    CONFIG_PRUNE: "on",
  };
  return { database, env, file, directory };
}

async function openGateway(env: Record<string, string>, secrets: NodeJS.ProcessEnv = {}) {
  const logLines: string[] = [];
  const log = openLog("gateway", "info", { write: (line: string) => void logLines.push(line) });
  const gateway = await startGateway(readConfig(gatewayConfig, env), log, { env: secrets });
  onTestFinished(() => gateway.stop());
  await gateway.started;
  return { gateway, logLines };
}

const namesOf = async ({ db }: TestDatabase) => {
  const { rows } = await db.pool.query<{ name: string }>("SELECT name FROM targets ORDER BY name");
  return rows.map(({ name }) => name);
};
const countAudit = async ({ db }: TestDatabase) => (await db.pool.query("SELECT FROM audit")).rowCount;

test("gateways that start at once apply the file once, and a reload makes what it says then", async () => {
  const { database, env, file, directory } = await prepare(`targets:\n${targetText("one")}${targetText("two")}`);
  writeFileSync(join(directory, "token"), "from a file\n");
  const gateways = await Promise.all([1, 2, 3].map(() => openGateway(env)));
  expect(await namesOf(database)).toEqual(["one", "two"]);
  expect(await countAudit(database)).toBe(2);
  const [first] = gateways;
  writeFileSync(
    file,
    `targets:\n${targetText("one", "    headers: { x-token: '${file:token}' }\n")}${targetText("three")}`,
  );
  await first?.gateway.reload?.();
  expect(await namesOf(database)).toEqual(["one", "three"]);

  // An invalid file changes nothing, and the log says where it is wrong.
  writeFileSync(file, `targets:\n${targetText("four")}${targetText("five", "    max_in_flight: 0\n")}`);
  await first?.gateway.reload?.();
  expect(await namesOf(database)).toEqual(["one", "three"]);
  const line = first?.logLines.find((each) => each.includes("settings not applied")) ?? "";
  expect(JSON.parse(line).msg).toContain("sluice.yaml:8:5 /targets/1/max_in_flight must be at least 1");
});

test.for([
  ["targets: [", "sluice.yaml:1:"],
  [`targets:\n${targetText("one", "    headers: { x-token: '${env:NOT_SET}' }\n")}`, "NOT_SET, which is not set"],
  [
    `targets:\n${targetText("one")}${targetText("two", "    colour: red\n")}`,
    "sluice.yaml:8:5 /targets/1/colour is not a field",
  ],
] as const)("a gateway refuses to start with a file that is not valid: %j", async ([content, fault]) => {
  const { database, env } = await prepare(content);
  const started = openGateway(env);
  await expect(started).rejects.toMatchObject({
    code: "invalid_configuration",
    message: expect.stringContaining(fault),
  });
  const { rows } = await database.db.pool.query("SELECT FROM pg_tables WHERE tablename = 'targets'");
  if (rows.length > 0) expect(await namesOf(database)).toEqual([]);
});

test("SIGHUP makes the process apply its file again", async () => {
  const { database, env, file } = await prepare(`targets:\n${targetText("one")}`);
  const child = spawn(process.execPath, [MAIN], {
    env: { PATH: process.env["PATH"], ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let output = "";
  child.stdout.on("data", (data) => (output += String(data)));
  await until(() => output.includes("gateway started"), { timeoutMs: 60_000 });
  expect(await namesOf(database)).toEqual(["one"]);
  writeFileSync(file, `targets:\n${targetText("two")}`);
  child.kill("SIGHUP");
  await until(() => namesOf(database), { accept: (names) => names.join() === "two", timeoutMs: 30_000 });
  expect(child.exitCode).toBeNull();
});

async function cli(relay: Relay, args: string[], env: NodeJS.ProcessEnv = {}) {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  const context = {
    env: { SLUICE_API: relay.apiUrl, SLUICE_API_KEY: relay.apiKey, ...env },
    directory: tmpdir(),
    stdin,
    stdout,
    stderr,
  };
  const code = await runCli(args, context);
  const [out, err] = await Promise.all([text(stdout.end()), text(stderr.end())]);
  return { code, out, err };
}

test("`sluice apply` applies the example, shows what it would do first, and finds nothing to do afterwards", async ({
  relay,
}) => {
  const secrets = {
    BILLING_WEBHOOK_SECRET: generateSigningSecret().text,
    BILLING_TARGET_SECRET: generateSigningSecret().text,
    VIDEO_TARGET_SECRET: generateSigningSecret().text,
    BILLING_TOKEN: "a-token-that-is-not-shown",
    DASHBOARD_KEY: `sluice_${randomBytes(32).toString("base64url")}`,
  };
  const dry = await cli(relay, ["apply", "-f", EXAMPLE, "--dry-run"], secrets);
  expect(dry).toMatchObject({ code: 0, err: "" });
  expect(dry.out).toContain("create target billing\n");
  expect(dry.out).toContain("5 to change, 0 unchanged\n");
  expect((await relay.call("GET", "/v1/targets?name=billing")).data).toEqual([]);
  const applied = await cli(relay, ["apply", "-f", EXAMPLE], secrets);
  expect(applied).toMatchObject({ code: 0 });
  expect((await relay.call("GET", "/v1/targets?name=billing")).data).toMatchObject([
    { managed_by: "examples/sluice.yaml" },
  ]);
  expect((await cli(relay, ["apply", "-f", EXAMPLE], secrets)).out).toBe("0 changed, 5 unchanged\n");
  for (const { out, err } of [dry, applied])
    for (const secret of Object.values(secrets).filter((each) => each !== secrets.DASHBOARD_KEY))
      expect(out + err).not.toContain(secret);

  const exported = await cli(relay, ["export"]);
  expect(exported).toMatchObject({ code: 0, err: "" });
  expect(exported.out).toContain("authorization: ${env:SLUICE_TARGET_BILLING_HEADER_AUTHORIZATION}");
  for (const secret of Object.values(secrets)) expect(exported.out).not.toContain(secret);

  // Without its variables, nothing is sent.
  const missing = await cli(relay, ["apply", "-f", EXAMPLE]);
  expect(missing).toMatchObject({ code: 2, out: "" });
  expect(missing.err).toContain("names the environment variable BILLING_WEBHOOK_SECRET, which is not set");
});

test("`sluice apply` names the line of what the relay refuses, and removes with --prune", async ({ relay }) => {
  const directory = mkdtempSync(join(tmpdir(), "sluice-apply-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const file = join(directory, "own.yaml");
  const write = (targets: string) => writeFileSync(file, `managed_by: own.yaml\ntargets:\n${targets}`);
  write(targetText("alpha") + targetText("beta", "    filter: event.type ==\n"));
  const refused = await cli(relay, ["apply", "-f", file]);
  expect(refused).toMatchObject({ code: 2, out: "" });
  expect(refused.err).toContain("own.yaml:9:5 /targets/1/filter");
  write(targetText("alpha") + targetText("beta"));
  const made = await cli(relay, ["apply", "-f", file]);
  expect(made.out).toMatch(/create target alpha\n {2}new_signing_secret: whsec_\S+\ncreate target beta\n/);
  write(targetText("alpha"));
  const left = await cli(relay, ["apply", "-f", file]);
  expect(left).toMatchObject({ code: 0, out: "0 changed, 1 unchanged\n" });
  expect(left.err).toContain("target beta is managed by own.yaml and not in the file");
  expect((await cli(relay, ["apply", "-f", file, "--prune"])).out).toBe("delete target beta\n1 changed, 1 unchanged\n");
  expect(readFileSync(file, "utf8")).toContain("alpha");
  const withoutKey = await cli(relay, ["apply", "-f", file], { SLUICE_API_KEY: "" });
  expect(withoutKey).toMatchObject({ code: 2, err: expect.stringContaining("set SLUICE_API_KEY") });
  expect(await cli(relay, ["apply", "-f", file], { SLUICE_API_KEY: "x".repeat(40) })).toMatchObject({ code: 4 });
  expect(await cli(relay, ["export", "--api", "http://127.0.0.1:9"])).toMatchObject({ code: 6 });
});
