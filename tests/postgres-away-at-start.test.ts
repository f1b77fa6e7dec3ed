// PostgreSQL is away when a process starts. A gateway works from its snapshot, or waits when it has none; a worker
// waits. All of them work normally when PostgreSQL is back, without a restart.

import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, inject, onTestFinished, test } from "vitest";

import { startGateway } from "@sluice/gateway/gateway";
import { gatewayConfig } from "@sluice/gateway/gateway-config";
import { snapshotPath } from "@sluice/gateway/ingress/snapshot-file";
import { sealSnapshot, unsealSnapshot } from "@sluice/gateway/ingress/source-snapshot";
import { openLog } from "@sluice/shared/runtime/log";
import { readMasterKey } from "@sluice/shared/settings/master-key";
import { readConfig } from "@sluice/shared/settings/read-config";
import { generateSigningSecret } from "@sluice/signature/secret";

import { startJwksServer } from "./support/jwks-server.ts";
import { postWebhook } from "./support/post-webhook.ts";
import { openProxiedStores, type ProxiedStores } from "./support/proxied-stores.ts";
import type { Proxy } from "./support/proxy.ts";
import { startReceiver } from "./support/receiver.ts";
import { timeRun } from "./support/run-time.ts";
import { signWebhookByJwt } from "./support/sign-dynamic.ts";
import { geminiEvent, signWebhook } from "./support/sign.ts";
import { newRsaKey } from "./support/signing/test-webhooks.ts";
import { until } from "./support/wait.ts";

/** Covers the longest pause between two tries, and then the connection itself, on a busy machine. */
const RECOVERY_LIMIT_MS = 60_000;
/** The time for a process to load its modules on a busy machine. */
const PROCESS_LIMIT_MS = 120_000;

interface Stores extends ProxiedStores {
  /** The proxy in front of PostgreSQL. */
  proxy: Proxy;
  /** The data directory of the gateways, empty at first. */
  dataDir: string;
}

async function openStores(): Promise<Stores> {
  const stores = await openProxiedStores();
  const dataDir = await mkdtemp(join(tmpdir(), "sluice-data-"));
  onTestFinished(() => rm(dataDir, { recursive: true }));
  return { ...stores, proxy: stores.proxies.postgres, dataDir };
}

interface Settings {
  MASTER_KEY?: string;
  GEMINI_SIGNING_SECRET?: string;
}

const environment = ({ proxy, redis, dataDir }: Stores, settings: Settings = {}) => ({
  DATABASE_URL: proxy.url,
  REDIS_URL: redis?.url,
  DATA_DIR: dataDir,
  HOST: "127.0.0.1",
  PORT: "0",
  API_PORT: "0",
  WORKER_PORT: "0",
  JWKS_LOOPBACK: "allow",
  MASTER_KEY: randomBytes(32).toString("base64"),
  ADMIN_API_KEY: ADMIN_KEY,
  ...settings,
});

const ADMIN_KEY = "admin-key-of-this-test-0123456789";

/** Starts a gateway, which is stopped when the test has finished, unless the test stops it before. */
async function openGateway(stores: Stores, settings: Settings = {}) {
  const logLines: { msg: string }[] = [];
  const log = openLog("gateway", "info", { write: (line) => void logLines.push(JSON.parse(line)) });
  const gateway = await startGateway(readConfig(gatewayConfig, environment(stores, settings)), log);
  let stopped: Promise<void> | undefined;
  const stop = () => (stopped ??= gateway.stop());
  onTestFinished(stop);
  const count = (msg: string) => logLines.filter((line) => line.msg === msg).length;
  return { ...gateway, stop, count };
}

const get = async (apiUrl: string, path: string, apiKey = ADMIN_KEY) => {
  const response = await fetch(apiUrl + path, { headers: { authorization: `Bearer ${apiKey}` } });
  const text = await response.text();
  const isJson = response.headers.get("content-type")?.includes("json") === true;
  return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text };
};

const unavailable = { status: 503, body: { code: "unavailable" } };

/** Runs a gateway once, so that the data directory has the snapshot that a gateway needs to work without PostgreSQL. */
async function runOnce(stores: Stores) {
  const settings = {
    MASTER_KEY: randomBytes(32).toString("base64"),
    GEMINI_SIGNING_SECRET: generateSigningSecret().text,
  };
  const gateway = await openGateway(stores, settings);
  await gateway.started;
  return { settings, gateway, secret: settings.GEMINI_SIGNING_SECRET };
}

if (inject("queue") === "redis") {
  test("a gateway started without PostgreSQL accepts webhooks of both kinds, which are delivered later", async () => {
    const stores = await openStores();
    const { proxy, dataDir } = stores;
    const rsa = newRsaKey("rsa-1");
    const endpoint = await startJwksServer(rsa.jwk);
    const relay = await stores.startRelay({ dataDir });
    const receiver = await startReceiver();
    onTestFinished(async () => {
      await relay.stop();
      await receiver.stop();
      await endpoint.stop();
    });
    await relay.createTarget(receiver);
    const audience = "https://relay.example/";
    const created = await relay.call("POST", "/v1/sources", {
      name: "jobs",
      kind: "dynamic",
      jwks_uri: endpoint.url,
      audiences: [audience],
    });
    const path = `jobs/${created.new_ingress_token}`;
    const callback = await relay.call("POST", `/v1/sources/${created.id}/callback-urls`, {
      labels: {},
      single_use: true,
    });
    const signByJwt = () => signWebhookByJwt(rsa, { aud: audience });
    // This webhook makes the gateway fetch the key set. After it, the endpoint is stopped.
    expect((await relay.send(await signByJwt(), path)).status).toBe(200);
    await receiver.waitFor(1);
    const first = await relay.startGateway();
    await first.started;
    await first.stop();
    await endpoint.stop();

    await proxy.cut();
    const gateway = await relay.startGateway();
    onTestFinished(gateway.stop);
    const { ingressUrl, apiUrl } = gateway;
    const sent = [signWebhook({ secret: relay.secret, body: geminiEvent() }), await signByJwt()] as const;
    // A Redis that is slow for a moment is a 503, because PostgreSQL cannot take the event instead.
    const isTaken = { accept: ({ status }: { status: number }) => status === 200 };
    await until(() => postWebhook(ingressUrl, sent[0]), isTaken);
    await until(() => postWebhook(ingressUrl, sent[1], path), isTaken);

    const forged = signWebhook({ secret: generateSigningSecret().text, body: geminiEvent() });
    expect(await postWebhook(ingressUrl, forged)).toMatchObject({
      status: 400,
      body: { reason: "signature_mismatch" },
    });
    expect(await postWebhook(ingressUrl, await signByJwt(), "jobs/it_none")).toMatchObject({ status: 404 });
    const single = callback.ingress_path.slice("/in/".length) as string;
    expect(await postWebhook(ingressUrl, await signByJwt(), single)).toMatchObject(unavailable);

    const ready = await until(() => get(apiUrl, "/readyz"), isTaken);
    expect(ready).toMatchObject({
      status: 200,
      body: {
        status: "degraded",
        checks: { postgres: { ok: false }, queue: { ok: true, takes: "redis" }, sources: { ok: true } },
      },
    });
    const { age_seconds: age, from_snapshot: isFromSnapshot } = ready.body.checks.sources;
    expect([age >= 0 && age < 600, isFromSnapshot]).toEqual([true, true]);
    const { body: metrics } = await get(apiUrl, "/metrics", relay.apiKey);
    expect(metrics).toMatch(/^sluice_sources_from_snapshot 1$/m);
    expect(metrics).toMatch(/^sluice_sources_age_seconds \d+$/m);

    await proxy.restore();
    await gateway.started;
    const { body } = await until(() => get(apiUrl, "/readyz"), { accept: (answer) => answer.body.status === "ready" });
    expect(body.checks.sources.from_snapshot).toBe(false);
    for (const { webhookId } of sent) {
      await until(() => receiver.requests.some(({ headers }) => headers["webhook-id"] === webhookId), {
        timeoutMs: RECOVERY_LIMIT_MS,
        what: "the delivery of what was accepted",
      });
    }
    // The gateway sees changes again.
    await relay.call("POST", "/v1/sources", { name: "later", signing_secret: relay.secret });
    await until(() => postWebhook(ingressUrl, signWebhook({ secret: relay.secret, body: "{}" }), "later"), {
      accept: ({ status }) => status === 200,
    });
  });
} else {
  test("a gateway with its queue in PostgreSQL starts without it, and accepts events when it is back", async () => {
    const stores = await openStores();
    const { settings, secret, gateway: first } = await runOnce(stores);
    await first.stop();
    await stores.proxy.cut();
    const gateway = await openGateway(stores, settings);
    const signed = signWebhook({ secret, body: geminiEvent() });
    expect(await postWebhook(gateway.ingressUrl, signed)).toMatchObject(unavailable);
    expect(await get(gateway.apiUrl, "/readyz")).toMatchObject({
      status: 503,
      body: { status: "not_ready", checks: { postgres: { ok: false }, queue: { ok: false }, sources: { ok: true } } },
    });
    await stores.proxy.restore();
    await until(() => postWebhook(gateway.ingressUrl, signed), {
      accept: ({ status }) => status === 200,
      timeoutMs: RECOVERY_LIMIT_MS,
    });
    await gateway.started;
  });
}

test("a gateway without a snapshot opens its ports, logs that it waits, and works with PostgreSQL back", async () => {
  const stores = await openStores();
  await stores.proxy.cut();
  const secret = generateSigningSecret().text;
  const gateway = await openGateway(stores, { GEMINI_SIGNING_SECRET: secret });
  const signed = signWebhook({ secret, body: geminiEvent() });
  const answer = await postWebhook(gateway.ingressUrl, signed);
  expect(answer).toMatchObject(unavailable);
  expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
  expect((await get(gateway.apiUrl, "/healthz")).status).toBe(200);
  expect(await get(gateway.apiUrl, "/readyz")).toMatchObject({
    status: 503,
    body: { status: "not_ready", checks: { postgres: { ok: false }, sources: { ok: false } } },
  });
  const listing = await get(gateway.apiUrl, "/v1/sources");
  expect(listing).toMatchObject(unavailable);
  expect(Number(listing.headers.get("retry-after"))).toBeGreaterThan(0);

  await stores.proxy.restore();
  await gateway.started;
  expect(gateway.count("waiting for PostgreSQL")).toBe(1);
  expect((await get(gateway.apiUrl, "/v1/sources")).status).toBe(200);
  await until(() => postWebhook(gateway.ingressUrl, signed), { accept: ({ status }) => status === 200 });
});

test("a gateway that waits stops at once, and it ignores a snapshot of another master key", async () => {
  const stores = await openStores();
  const { gateway: first } = await runOnce(stores);
  await first.stop();
  await stores.proxy.cut();
  const gateway = await openGateway(stores, { GEMINI_SIGNING_SECRET: generateSigningSecret().text });
  expect(gateway.count("source snapshot ignored")).toBe(1);
  expect(await get(gateway.apiUrl, "/readyz")).toMatchObject({
    status: 503,
    body: { checks: { sources: { ok: false } } },
  });
  // It has nothing to wait for. The limits of a stop add up to more than 10 seconds.
  expect((await timeRun(gateway.stop)).ranMs).toBeLessThan(10_000);
  await gateway.started;
});

test("a gateway on its snapshot ends when the schema in PostgreSQL turns out to be too new for it", async () => {
  const stores = await openStores();
  const { settings, gateway: first } = await runOnce(stores);
  await first.stop();
  await stores.proxy.cut();
  const gateway = await openGateway(stores, settings);
  await stores.database.db.pool.query(
    "INSERT INTO drizzle.__drizzle_migrations (hash, created_at) VALUES ('newer', 9999999999999)",
  );
  await stores.database.db.pool.query("UPDATE configuration SET min_compatible_version = '999.0.0'");
  await stores.proxy.restore();
  await expect(gateway.started).rejects.toMatchObject({ code: "schema_newer" });
});

test("a gateway on the snapshot of another relay ends and removes it, and its next start works", async () => {
  const stores = await openStores();
  const { settings, gateway: first } = await runOnce(stores);
  await first.stop();
  await stores.proxy.cut();
  const gateway = await openGateway(stores, settings);
  await stores.database.db.pool.query("UPDATE configuration SET relay_id = gen_random_uuid()");
  await stores.proxy.restore();
  await expect(gateway.started).rejects.toMatchObject({ code: "relay_changed" });
  await gateway.stop();
  expect(existsSync(snapshotPath(stores.dataDir))).toBe(false);
  await (
    await openGateway(stores, settings)
  ).started;
});

if (inject("queue") === "redis") {
  test("on a snapshot without an identity, Redis takes nothing until PostgreSQL has told the identity", async () => {
    const stores = await openStores();
    const { settings, secret, gateway: first } = await runOnce(stores);
    await first.stop();
    const masterKey = readMasterKey(settings.MASTER_KEY);
    if (masterKey === undefined) throw new Error("The master key is not one");
    const path = snapshotPath(stores.dataDir);
    const read = unsealSnapshot(masterKey, await readFile(path));
    if ("fault" in read) throw new Error(read.fault);
    await writeFile(path, sealSnapshot(masterKey, { ...read.snapshot, relayId: undefined }));
    await stores.proxy.cut();
    const gateway = await openGateway(stores, settings);
    const signed = signWebhook({ secret, body: geminiEvent() });
    expect(await postWebhook(gateway.ingressUrl, signed)).toMatchObject(unavailable);
    await until(() => get(gateway.apiUrl, "/readyz"), {
      accept: ({ body }) => body.checks.redis.problems.join().includes("need the identity") || body.status === "ready",
    });
    expect((await get(gateway.apiUrl, "/readyz")).body).toMatchObject({ status: "not_ready" });
    await stores.proxy.restore();
    await gateway.started;
    await until(() => get(gateway.apiUrl, "/readyz"), { accept: ({ body }) => body.checks.queue.takes === "redis" });
    expect(await postWebhook(gateway.ingressUrl, signed)).toMatchObject({ status: 200 });
  });
}

/** Runs an app as a process, as a supervisor does. */
function runProcess(app: "gateway" | "worker", env: Record<string, string | undefined>) {
  const entry = new URL(`../apps/${app}/src/main.ts`, import.meta.url).pathname;
  const child = spawn(process.execPath, [entry], {
    env: { PATH: process.env["PATH"], ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
  // When "close" comes, all output has come too.
  const ended = once(child, "close").then(([code]) => code as number | null);
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  return { child, ended, output: () => output };
}

test(
  "the process of a gateway on its snapshot ends with 1 when PostgreSQL has another master key",
  { timeout: 2 * PROCESS_LIMIT_MS },
  async () => {
    const stores = await openStores();
    const { settings, secret, gateway: first } = await runOnce(stores);
    await first.stop();
    await stores.proxy.cut();
    const { ended, output } = runProcess("gateway", environment(stores, settings));
    const url = await until(() => /"ingress":"([^"]+)"/.exec(output())?.[1] ?? "", { timeoutMs: PROCESS_LIMIT_MS });
    const wanted = inject("queue") === "redis" ? 200 : 503;
    await until(() => postWebhook(url, signWebhook({ secret, body: geminiEvent() })), {
      accept: ({ status }) => status === wanted,
    });
    await stores.database.db.pool.query("UPDATE configuration SET master_key_check = '\\x01'");
    await stores.proxy.restore();
    expect(await ended).toBe(1);
    expect(output()).toContain("master_key_mismatch");
  },
);

test(
  "a worker that starts while PostgreSQL is away waits, is alive and not ready, and exits with 0 when it is stopped",
  { timeout: 2 * PROCESS_LIMIT_MS },
  async () => {
    const stores = await openStores();
    await stores.proxy.cut();
    const { child, ended, output } = runProcess("worker", environment(stores));
    const url = await until(() => /"url":"([^"]+)"/.exec(output())?.[1] ?? "", { timeoutMs: PROCESS_LIMIT_MS });
    expect((await get(url, "/healthz")).status).toBe(200);
    expect(await get(url, "/readyz")).toMatchObject({ status: 503, body: { checks: { postgres: { ok: false } } } });
    await until(() => output().includes("waiting for PostgreSQL"));
    child.kill("SIGTERM");
    expect(await ended).toBe(0);
  },
);

test("a worker that waited for PostgreSQL delivers what was accepted meanwhile, in one attempt", async () => {
  const stores = await openStores();
  const { proxy } = stores;
  const relay = await stores.startRelay({ withoutWorker: true });
  const receiver = await startReceiver();
  onTestFinished(async () => {
    await relay.stop();
    await receiver.stop();
  });
  await relay.createTarget(receiver);
  const { webhookId } = await relay.sendEvent();
  await proxy.cut();
  const starting = relay.startWorker();
  await until(() =>
    relay.logLines.some((line) => line.includes('"worker"') && line.includes("waiting for PostgreSQL")),
  );
  await proxy.restore();
  const worker = await starting;
  onTestFinished(worker.stop);
  const [request] = await receiver.waitFor(1, RECOVERY_LIMIT_MS);
  expect(request?.headers).toMatchObject({ "webhook-id": webhookId, "sluice-attempt": "1" });
  const delivery = await until(
    async () => (await relay.call("GET", `/v1/deliveries?webhook_id=${webhookId}&status=succeeded`)).data[0],
  );
  expect(delivery.attempt_count).toBe(1);
});
