// `sluice status` and `sluice doctor`: a relay that works, one without PostgreSQL, one that is away, and what is around it.

import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { examineSources } from "@sluice/cli/health/examine-settings";
import { examineSystem } from "@sluice/cli/health/examine-system";
import { generateSigningSecret } from "@sluice/signature/secret";
import { expect, onTestFinished } from "vitest";

import { readNewCertificates } from "./support/certificates.ts";
import { test as base } from "./support/database.ts";
import { makeFailingPullTarget } from "./support/failing-pull-target.ts";
import { claimPort } from "./support/ports.ts";
import { openProxiedStores } from "./support/proxied-stores.ts";
import { type Relay, startRelay } from "./support/relay.ts";
import { runSluice } from "./support/run-sluice.ts";
import { geminiEvent, signWebhook } from "./support/sign.ts";
import { startTlsServer } from "./support/tls-server.ts";
import { until } from "./support/wait.ts";

const test = base.extend("relay", { scope: "file" }, async ({ database }, { onCleanup }) => {
  const port = String(await claimPort());
  const settings = { PORT: port, PUBLIC_URL: `http://127.0.0.1:${port}` };
  const relay = await startRelay(database, undefined, { settings });
  onCleanup(() => relay.stop());
  return relay;
});

interface ShownFinding {
  check: string;
  verdict: string;
  found: string;
  advice: string | null;
}

const envOf = (relay: Pick<Relay, "apiUrl" | "apiKey">) => ({
  SLUICE_API: relay.apiUrl,
  SLUICE_API_KEY: relay.apiKey,
  XDG_CONFIG_HOME: "/nowhere",
});

function newDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "sluice-bundle-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  return directory;
}

async function examine(env: NodeJS.ProcessEnv, ...args: string[]) {
  const { code, out, err } = await runSluice(["doctor", "--json", ...args], { env });
  const text = out.toString().trimEnd();
  const findings = text === "" ? [] : text.split("\n").map((line) => JSON.parse(line) as ShownFinding);
  const verdicts = Object.fromEntries(findings.map(({ check, verdict }) => [check, verdict]));
  return { code, err, findings, verdicts };
}

test("doctor finds nothing wrong with a relay that works, and its bundle has everything but secrets", async ({
  relay,
}) => {
  const file = join(newDirectory(), "bundle.json");
  // On a busy machine a store may once answer too slowly, and doctor says so.
  const { err, verdicts } = await until(() => examine(envOf(relay), "--bundle", file, "--force"), {
    accept: ({ code, findings }) =>
      code === 0 && findings.every(({ check, verdict }) => verdict === "ok" || check === "public url"),
  });
  expect(err).toContain(`${file} has it all.`);
  expect(verdicts).toMatchObject({
    relay: "ok",
    readiness: "ok",
    key: "ok",
    postgres: "ok",
    queue: "ok",
    workers: "ok",
    clock: "ok",
    targets: "ok",
    sources: "ok",
    settings: "ok",
    log: "ok",
  });
  // The ingress answers, and neither http nor a loopback address is for Gemini.
  expect(verdicts["public url"]).toBe("warning");

  expect(statSync(file).mode & 0o777).toBe(0o600);
  const text = readFileSync(file, "utf8");
  const bundle = JSON.parse(text);
  expect(bundle).toMatchObject({
    api: relay.apiUrl,
    readiness: { status: "ready" },
    system: { status: "ready" },
    unwell_targets: [],
    log: expect.any(Array),
    metrics: expect.stringContaining("sluice_build_info{"),
  });
  expect(bundle.settings.find(({ name }: { name: string }) => name === "ADMIN_API_KEY")).toMatchObject({
    is_set: true,
    value: null,
  });
  const secrets = [relay.apiKey, relay.secret, new URL(relay.database.url).password, relay.database.url];
  for (const secret of secrets) if (secret !== "") expect(text).not.toContain(secret);

  const again = await examine(envOf(relay), "--bundle", file);
  expect(again).toMatchObject({ code: 2, findings: [] });
  expect(again.err).toContain("is there already");
  writeFileSync(file, "old");
  await until(() => examine(envOf(relay), "--bundle", file, "--force"), { accept: ({ code }) => code === 0 });
  expect(readFileSync(file, "utf8")).toContain('"made_at"');
  const nowhere = await examine(envOf(relay), "--bundle", "/nowhere/bundle.json");
  expect(nowhere).toMatchObject({ code: 2, err: expect.stringContaining("cannot be written (ENOENT)") });
});

test("status and doctor name a target that fails, and a key that may only read sees what it may", async ({ relay }) => {
  const away = `http://127.0.0.1:${await claimPort()}/`;
  const target = await relay.call("POST", "/v1/targets", { name: "billing", uri: away, subscribed_events: ["*"] });
  for (let sent = 0; sent < 10; sent++) await relay.sendEvent();
  await until(() => relay.call("GET", `/v1/targets/${target.id}`), {
    accept: ({ health }) => health.breaker !== "closed",
  });
  const { key } = await relay.call("POST", "/v1/keys", { name: "reader", scopes: ["read"] });
  const env = { ...envOf(relay), SLUICE_API_KEY: key };
  // The line of all deliveries and the row of the target are two answers, of which one may be some seconds older.
  const shown = await until(() => runSluice(["status"], { env }), {
    accept: ({ out }) => /10 wait/.test(out.toString()) && /^ {2}billing +enabled .* 10 /m.test(out.toString()),
  });
  expect(shown.code).toBe(0);
  expect(shown.out.toString()).toMatch(/^ {2}billing +enabled +(?:half_)?open +10 /m);
  const { findings, verdicts } = await until(() => examine(env), { accept: ({ code }) => code === 0 });
  expect(verdicts).toMatchObject({ targets: "warning", settings: "skipped", log: "skipped" });
  expect(findings.find(({ check }) => check === "targets")?.advice).toContain(`sluice targets test ${target.id}\``);
  await relay.call("DELETE", `/v1/targets/${target.id}`);
});

test("status and doctor name a pull target whose service reports only failures, although no breaker opens", async ({
  relay,
}) => {
  const { id } = await makeFailingPullTarget(relay, "batch-import");
  await until(() => runSluice(["status"], { env: envOf(relay) }), {
    accept: ({ out }) => /^ {2}batch-import +enabled .* reports failures/m.test(out.toString()),
  });
  expect((await examine(envOf(relay))).verdicts).toMatchObject({ targets: "warning" });
  await relay.call("DELETE", `/v1/targets/${id}`);
});

test("what doctor advises for a source without a secret works as it is written", async ({ relay }) => {
  const source = await relay.call("POST", "/v1/sources", { name: "registered-by-hand" });
  const [finding] = examineSources([{ ...source, signing_secrets: [] }]);
  expect(finding).toMatchObject({ verdict: "warning", found: expect.stringContaining("registered-by-hand") });
  const file = join(newDirectory(), "secret");
  const secret = generateSigningSecret().text;
  writeFileSync(file, secret);
  const [, words = ""] = /`sluice (sources rotate [^`]+)`/.exec(finding?.advice ?? "") ?? [];
  const args = words.replace("FILE", file).split(" ");
  expect(await runSluice(args, { env: envOf(relay) })).toMatchObject({ code: 0 });
  const { headers, body } = signWebhook({ secret, body: geminiEvent() });
  const captured = { headers, body: Buffer.from(body).toString("base64") };
  expect(await relay.call("POST", `/v1/sources/${source.id}:verify`, captured)).toMatchObject({ verdict: "accepted" });
  await relay.call("DELETE", `/v1/sources/${source.id}`);
});

test("doctor says of a target that nobody pulls what to start, and not how it fails", async ({ relay }) => {
  const system = await relay.call("GET", "/v1/system");
  const unwell = {
    id: "tgt_1",
    name: "batch-import",
    state: "enabled",
    breaker: "closed",
    failing_since: null,
  } as const;
  const findings = examineSystem({ system, unwellTargets: [{ ...unwell, trouble: "not_pulled", waiting: 3 }] });
  expect(findings.filter(({ check }) => check === "targets")).toEqual([
    {
      check: "targets",
      verdict: "warning",
      found: "Deliveries wait, and nobody pulls for batch-import",
      advice: expect.stringContaining("Start the service that pulls."),
    },
  ]);
});

test("without PostgreSQL, status shows the readiness to everybody and ends with 6, and doctor says what to do", async () => {
  const { proxies, startRelay: startProxied } = await openProxiedStores();
  const relay = await startProxied();
  onTestFinished(() => relay.stop());
  const { key } = await relay.call("POST", "/v1/keys", { name: "stored", scopes: ["admin"] });
  await proxies.postgres.cut();
  await until(relay.readiness, { accept: ({ body }) => body.checks.postgres.ok === false });

  const stored = await runSluice(["status", "--json"], { env: { ...envOf(relay), SLUICE_API_KEY: key } });
  expect(stored.code).toBe(6);
  expect(JSON.parse(stored.out.toString())).toMatchObject({ checks: { postgres: { ok: false } } });
  const doctored = await examine({ ...envOf(relay), SLUICE_API_KEY: key });
  expect(doctored.code).toBe(1);
  expect(doctored.findings.find(({ check }) => check === "key")?.advice).toContain("ADMIN_API_KEY");
  // The key of the environment is known without PostgreSQL.
  const { code, verdicts } = await examine(envOf(relay));
  expect(code).toBe(1);
  expect(verdicts).toMatchObject({ relay: "ok", key: "ok", postgres: "wrong" });
  // The log is in the memory of the gateway.
  const log = await runSluice(["system", "log"], { env: envOf(relay) });
  expect(log.code).toBe(0);
  expect(log.out.toString()).toMatch(/^20\S+ +error +api request +.*GET \/v1\/\S+ 503/m);
  const printed = await runSluice(["system", "log", "--json"], { env: envOf(relay) });
  const lines = printed.out.toString().trimEnd().split("\n");
  expect(JSON.parse(lines.at(-1) ?? "")).toMatchObject({ level: "error", message: "api request" });
});

test("while the relay is away, doctor says so and looks at the stores of its environment", async ({ database }) => {
  const api = `http://127.0.0.1:${await claimPort()}`;
  const closed = await claimPort();
  const env = { SLUICE_API: api, XDG_CONFIG_HOME: "/nowhere" };
  const alone = await examine(env);
  expect(alone).toMatchObject({ code: 1, verdicts: { relay: "wrong" } });
  expect(alone.findings[0]).toMatchObject({
    found: expect.stringContaining("connection refused"),
    advice: expect.stringContaining("npm start"),
  });
  const file = join(newDirectory(), "bundle.json");
  const stores = { ...env, DATABASE_URL: database.url, REDIS_URL: `redis://127.0.0.1:${closed}` };
  expect(await examine(stores, "--bundle", file)).toMatchObject({
    code: 1,
    verdicts: { environment: "ok", "own postgres": "ok", "own redis": "wrong" },
  });
  expect(JSON.parse(readFileSync(file, "utf8"))).toMatchObject({ api, system: null, readiness: null });
  const broken = await examine({ ...env, DATABASE_URL: "not a url" });
  expect(broken.findings.find(({ check }) => check === "environment")?.found).toContain("DATABASE_URL must be a URL");
  expect(existsSync(file)).toBe(true);
});

test("doctor tells a certificate that nobody trusts, and what is no relay", async ({ relay }) => {
  const server = await startTlsServer(readNewCertificates("DNS:localhost"));
  onTestFinished(() => server.close());
  const tls = await examine({ ...envOf(relay), SLUICE_API: `https://localhost:${server.port}` });
  expect(tls).toMatchObject({ code: 1, verdicts: { relay: "wrong", tls: "wrong" } });
  expect(tls.findings.find(({ check }) => check === "tls")?.found).toMatch(/not trusted \([A-Z_]+\); it ends on 20/);
  const ingress = await examine({ ...envOf(relay), SLUICE_API: relay.ingressUrl });
  expect(ingress.findings).toMatchObject([{ verdict: "wrong", found: expect.stringContaining("is not the API") }]);
});

test("a key that nobody has, or none at all, does not keep doctor from looking at the address", async ({ relay }) => {
  const unknown = await examine({ ...envOf(relay), SLUICE_API_KEY: `sluice_${"x".repeat(43)}` });
  expect(unknown).toMatchObject({ code: 1, verdicts: { relay: "ok", readiness: "ok", key: "wrong" } });
  // A key that `login` stores would not be used beside it.
  expect(unknown.findings.find(({ check }) => check === "key")?.advice).toContain("Correct SLUICE_API_KEY.");
  const none = await examine({ SLUICE_API: relay.apiUrl, XDG_CONFIG_HOME: "/nowhere" });
  expect(none).toMatchObject({ code: 1, verdicts: { relay: "ok", key: "wrong" } });
});
