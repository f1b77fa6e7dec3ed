// Starts a whole relay in this process over the stores of a test: a gateway on two real ports, a worker, and a client
// of the API. The vitest project decides whether its queues are on Redis or on PostgreSQL.

import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { inject } from "vitest";

import { type Gateway, type GatewayOptions, startGateway } from "@sluice/gateway/gateway";
import { gatewayConfig } from "@sluice/gateway/gateway-config";
import { openLog } from "@sluice/shared/runtime/log";
import { RecentLog } from "@sluice/shared/runtime/recent-log";
import { MasterKey } from "@sluice/shared/settings/master-key";
import { readConfig } from "@sluice/shared/settings/read-config";
import { generateSigningSecret } from "@sluice/signature/secret";
import { startWorker, type Worker, type WorkerOptions } from "@sluice/worker/worker";
import { workerConfig } from "@sluice/worker/worker-config";

import { type TestDatabase, test as base } from "./database.ts";
import { type Receiver, startReceiver } from "./receiver.ts";
import { type IngressAnswer, postWebhook } from "./post-webhook.ts";
import { createTestRedis } from "./redis.ts";
import { geminiEvent, type SignedWebhook, type SignOptions, signWebhook } from "./sign.ts";
import { until } from "./wait.ts";

// oxlint-disable-next-line typescript/no-explicit-any -- an answer is what a test asserts about it.
type Json = any;

const MAX_TRIES = 10;

export interface Relay extends Gateway {
  /** The address of the worker; undefined without one. */
  workerUrl: string | undefined;
  database: TestDatabase;
  /** Undefined when the queues are on PostgreSQL. */
  redisUrl: string | undefined;
  apiKey: string;
  /** The signing secret of the source `gemini`. */
  secret: string;
  /** The log lines of the gateways and workers. */
  logLines: string[];
  /** Calls the API with the API key. @throws Error for an answer that is not 2xx. */
  call: (method: string, path: string, body?: object) => Promise<Json>;
  /** Creates a target at a receiver, which subscribes to all events and is retried quickly. */
  createTarget: (receiver: Receiver, changes?: object) => Promise<Json>;
  /** Deletes the targets at a receiver, which cancels their pending deliveries. */
  deleteTargets: (receiver: Receiver) => Promise<void>;
  /** Posts a signed webhook to the ingress. */
  send: (signed: SignedWebhook, path?: string) => Promise<IngressAnswer>;
  /** Signs an event for the source `gemini` and posts it. @throws Error when the gateway does not accept it. */
  sendEvent: (options?: Partial<SignOptions>) => Promise<SignedWebhook>;
  /** Reads /readyz. */
  readiness: () => Promise<{ status: number; body: Json }>;
  /** Reads /metrics as text. */
  readMetrics: () => Promise<string>;
  /** The number of intake jobs that each store has taken, from /metrics. */
  countIntakeJobs: () => Promise<Record<"redis" | "postgres", number>>;
  /**
   * Sends events until Redis takes one. Redis takes none while the machine stands still for longer than a request
   * waits.
   * @returns the event that Redis took.
   */
  sendUntilRedisTakes: () => Promise<SignedWebhook>;
  /** Starts one more worker, which the caller stops. */
  startWorker: () => Promise<Worker>;
  /** Stops the worker with which the relay started. */
  stopWorker: () => Promise<void>;
  /** Starts one more gateway, which the caller stops. */
  startGateway: (options?: GatewayOptions) => Promise<Gateway>;
  /** For a test that makes what only the relay can make, such as a callback token. */
  masterKey: MasterKey;
}

export interface RelayOptions extends WorkerOptions {
  /** Settings in addition to those that every relay here has. */
  settings?: Record<string, string>;
  /** The URLs by which the relay reaches the stores, such as those of proxies. */
  databaseUrl?: string;
  redisUrl?: string;
  withoutWorker?: boolean;
  /** The files of the console. */
  consoleDirectory?: string | undefined;
  /**
   * The data directory of every gateway. When not given, each gateway has a new one, and so starts without a snapshot.
   */
  dataDir?: string;
}

/** A Redis for the queues of this vitest project; undefined when they are on PostgreSQL. */
export async function createQueueRedis() {
  return inject("queue") === "redis" ? createTestRedis() : undefined;
}

/** Tries again after a 503, as every sender does: on a busy machine a store can take longer than a request waits. */
async function whileUnavailable<T extends { status: number }>(ask: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    const answer = await ask();
    if (answer.status !== 503 || tries === MAX_TRIES) return answer;
    await delay(500);
  }
}

/** @param redisUrl the Redis of the queues; undefined when they are on PostgreSQL. */
export async function startRelay(
  database: TestDatabase,
  redisUrl: string | undefined,
  options: RelayOptions = {},
): Promise<Relay> {
  const apiKey = `test-key-${randomBytes(16).toString("hex")}`;
  const secret = generateSigningSecret().text;
  const masterKey = randomBytes(32);
  const env = {
    DATABASE_URL: options.databaseUrl ?? database.url,
    REDIS_URL: redisUrl === undefined ? undefined : (options.redisUrl ?? redisUrl),
    HOST: "127.0.0.1",
    PORT: "0",
    API_PORT: "0",
    WORKER_PORT: "0",
    // The targets and the key sets of tests are on loopback.
    TARGET_LOOPBACK: "allow",
    JWKS_LOOPBACK: "allow",
    MASTER_KEY: masterKey.toString("base64"),
    ADMIN_API_KEY: apiKey,
    GEMINI_SIGNING_SECRET: secret,
    ...options.settings,
  };
  const logLines: string[] = [];
  const destination = { write: (line: string) => void logLines.push(line) };
  const scratch = mkdtempSync(join(tmpdir(), "sluice-relay-"));
  const startAnotherGateway = async (gatewayOptions?: GatewayOptions) => {
    const dataDir = options.dataDir ?? mkdtempSync(join(scratch, "gateway-"));
    const recentLog = new RecentLog();
    const gatewayEnv = { ...env, DATA_DIR: dataDir };
    const gatewayLog = openLog("gateway", "trace", destination, recentLog);
    const { consoleDirectory } = options;
    const ownOptions = {
      env: gatewayEnv,
      recentLog,
      ...(consoleDirectory !== undefined && { consoleDirectory }),
      ...gatewayOptions,
    };
    const started = await startGateway(readConfig(gatewayConfig, gatewayEnv), gatewayLog, ownOptions);
    // A gateway with a snapshot may be useful before it is fully started, so its test decides whether to wait.
    if (options.dataDir === undefined) await started.started;
    return started;
  };
  const gateway = await startAnotherGateway();
  await gateway.started;
  const startAnotherWorker = () =>
    startWorker(readConfig(workerConfig, env), openLog("worker", "trace", destination), options);
  const worker = options.withoutWorker === true ? undefined : await startAnotherWorker();
  let workerStopped: Promise<void> | undefined;
  const stopWorker = async () => (workerStopped ??= worker?.stop());

  const call = async (method: string, path: string, body?: object) => {
    const headers = { authorization: `Bearer ${apiKey}`, "content-type": "application/json" };
    const init = body === undefined ? { method, headers } : { method, headers, body: JSON.stringify(body) };
    const ask = () => fetch(gateway.apiUrl + path, init);
    const response = await (method === "GET" ? whileUnavailable(ask) : ask());
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text === "" ? undefined : JSON.parse(text);
  };
  const targetIds = new Map<Receiver, string[]>();
  const createTarget = async (receiver: Receiver, changes: object = {}) => {
    const target = await call("POST", "/v1/targets", {
      uri: receiver.url,
      subscribed_events: ["*"],
      retry: { base_seconds: 0.1, cap_seconds: 0.2, horizon_seconds: 60 },
      ...changes,
    });
    targetIds.set(receiver, [...(targetIds.get(receiver) ?? []), target.id]);
    return target;
  };
  const deleteTargets = async (receiver: Receiver) => {
    for (const id of targetIds.get(receiver) ?? []) await call("DELETE", `/v1/targets/${id}`);
    targetIds.delete(receiver);
  };
  const send = (signed: SignedWebhook, path?: string) => postWebhook(gateway.ingressUrl, signed, path);
  const sendEvent = async (changes: Partial<SignOptions> = {}) => {
    const signed = signWebhook({ secret, body: geminiEvent(), ...changes });
    const answer = await whileUnavailable(() => send(signed));
    if (answer.status !== 200) throw new Error(`The gateway answered the event with ${answer.status}`);
    return signed;
  };
  const readiness = async () => {
    const response = await fetch(`${gateway.apiUrl}/readyz`);
    return { status: response.status, body: await response.json() };
  };
  const readMetrics = async () =>
    (await fetch(`${gateway.apiUrl}/metrics`, { headers: { authorization: `Bearer ${apiKey}` } })).text();
  const countIntakeJobs = async () => {
    const text = await readMetrics();
    const count = (store: string) =>
      Number(new RegExp(`^sluice_intake_jobs_total{store="${store}"} (\\d+)`, "m").exec(text)?.[1] ?? 0);
    return { redis: count("redis"), postgres: count("postgres") };
  };
  const sendUntilRedisTakes = async () => {
    const { redis: before } = await countIntakeJobs();
    let signed = await sendEvent();
    await until(async () => {
      if ((await countIntakeJobs()).redis > before) return true;
      signed = await sendEvent();
      return false;
    });
    return signed;
  };
  const stop = async () => {
    await gateway.stop();
    await stopWorker();
    rmSync(scratch, { recursive: true });
  };
  return {
    ...gateway,
    workerUrl: worker?.url,
    stop,
    database,
    redisUrl,
    apiKey,
    secret,
    logLines,
    call,
    createTarget,
    deleteTargets,
    send,
    sendEvent,
    readiness,
    readMetrics,
    countIntakeJobs,
    sendUntilRedisTakes,
    startWorker: startAnotherWorker,
    stopWorker,
    startGateway: startAnotherGateway,
    masterKey: new MasterKey(masterKey),
  };
}

/** `test` with a fixture `relay`, one for each file, and a fixture `receiver`, one for each test. */
export const relayTest = (options: RelayOptions = {}) =>
  base
    .extend("relay", { scope: "file" }, async ({ database }, { onCleanup }) => {
      const redis = await createQueueRedis();
      const relay = await startRelay(database, redis?.url, options);
      onCleanup(async () => {
        await relay.stop();
        await redis?.drop();
      });
      return relay;
    })
    .extend("receiver", async ({ relay }, { onCleanup }) => {
      const receiver = await startReceiver();
      onCleanup(async () => {
        await relay.deleteTargets(receiver);
        await receiver.stop();
      });
      return receiver;
    });

export const test = relayTest();
