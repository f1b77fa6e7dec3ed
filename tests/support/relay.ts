// A whole relay in this process, over the test's own stores: the gateway on two real ports, a worker, and the
// API's client. On which queue is the vitest project's choice.

import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { inject } from "vitest";

import { type Gateway, type GatewayOptions, startGateway } from "@sluice/gateway/gateway";
import { gatewayConfig } from "@sluice/gateway/gateway-config";
import { openLog } from "@sluice/shared/runtime/log";
import { MasterKey } from "@sluice/shared/settings/master-key";
import { readConfig } from "@sluice/shared/settings/read-config";
import { generateSigningSecret } from "@sluice/signature/secret";
import { startWorker, type Worker, type WorkerOptions } from "@sluice/worker/worker";
import { workerConfig } from "@sluice/worker/worker-config";

import { type TestDatabase, test as base } from "./database.ts";
import { type Receiver, startReceiver } from "./receiver.ts";
import { createTestRedis } from "./redis.ts";
import { geminiEvent, type SignedWebhook, type SignOptions, signWebhook } from "./sign.ts";
import { until } from "./wait.ts";

// oxlint-disable-next-line typescript/no-explicit-any -- an answer is what a test asserts about it.
type Json = any;

const MAX_TRIES = 10;

interface Answer {
  status: number;
  headers: Headers;
  body: Json;
}

export interface Relay extends Gateway {
  /** Of the worker, if there is one. */
  workerUrl: string | undefined;
  database: TestDatabase;
  /** Where its queues are on Redis. */
  redisUrl: string | undefined;
  apiKey: string;
  /** Of the source `gemini`. */
  secret: string;
  /** What gateway and workers logged, line by line. */
  logLines: string[];
  /** Calls the API with the key. @throws Error for an answer that is not 2xx. */
  call: (method: string, path: string, body?: object) => Promise<Json>;
  /** A new target of everything, at a receiver; its retries are quick. */
  createTarget: (receiver: Receiver, changes?: object) => Promise<Json>;
  /** Deletes the targets made at a receiver, which cancels what they still had to get. */
  deleteTargets: (receiver: Receiver) => Promise<void>;
  /** Posts a signed webhook to the ingress. */
  send: (signed: SignedWebhook, source?: string) => Promise<Answer>;
  /** Signs an event of Gemini's for the source `gemini`, and posts it. @throws Error when it is not taken. */
  sendEvent: (options?: Partial<SignOptions>) => Promise<SignedWebhook>;
  /** What /readyz says. */
  readiness: () => Promise<{ status: number; body: Json }>;
  /** How many batches each store made durable, as /metrics counts them. */
  countIntakeJobs: () => Promise<Record<"redis" | "postgres", number>>;
  /**
   * Sends events until Redis takes one, which it may not when the machine stands still for longer than a request waits.
   * @returns that one.
   */
  sendUntilRedisTakes: () => Promise<SignedWebhook>;
  /** One more worker, which the caller stops. */
  startWorker: () => Promise<Worker>;
  /** One more gateway, which the caller stops. */
  startGateway: (options?: GatewayOptions) => Promise<Gateway>;
  /** To make what only the relay makes. */
  masterKey: MasterKey;
}

export interface RelayOptions extends WorkerOptions {
  /** Beside those that a test needs anyway. */
  settings?: Record<string, string>;
  /** Through which the stores are reached, in place of their own addresses. */
  databaseUrl?: string;
  redisUrl?: string;
  withoutWorker?: boolean;
  /** Of every gateway; without it each has one of its own, and so no snapshot at its start. */
  dataDir?: string;
}

/** Redis for this project's queues; undefined where they are on PostgreSQL. */
export async function createQueueRedis() {
  return inject("queue") === "redis" ? createTestRedis() : undefined;
}

/** Asks again after a 503, as every sender does: on a busy machine a store can take longer than a request waits. */
async function whileUnavailable<T extends { status: number }>(ask: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    const answer = await ask();
    if (answer.status !== 503 || tries === MAX_TRIES) return answer;
    await delay(500);
  }
}

/** @param redisUrl where this project's queues are on Redis. */
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
    const settings = readConfig(gatewayConfig, { ...env, DATA_DIR: dataDir });
    const started = await startGateway(settings, openLog("gateway", "trace", destination), gatewayOptions);
    // With a snapshot it may be of use without.
    if (options.dataDir === undefined) await started.started;
    return started;
  };
  const gateway = await startAnotherGateway();
  await gateway.started;
  const startAnotherWorker = () =>
    startWorker(readConfig(workerConfig, env), openLog("worker", "trace", destination), options);
  const worker = options.withoutWorker === true ? undefined : await startAnotherWorker();

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
  const send = async ({ headers, body }: SignedWebhook, source = "gemini") => {
    const response = await fetch(`${gateway.ingressUrl}/in/${source}`, { method: "POST", headers, body });
    return { status: response.status, headers: response.headers, body: await response.json() };
  };
  const sendEvent = async (changes: Partial<SignOptions> = {}) => {
    const signed = signWebhook({ secret, body: geminiEvent(), ...changes });
    const answer = await whileUnavailable(() => send(signed));
    if (answer.status !== 200) throw new Error(`The event was answered with ${answer.status}`);
    return signed;
  };
  const readiness = async () => {
    const response = await fetch(`${gateway.apiUrl}/readyz`);
    return { status: response.status, body: await response.json() };
  };
  const countIntakeJobs = async () => {
    const response = await fetch(`${gateway.apiUrl}/metrics`, { headers: { authorization: `Bearer ${apiKey}` } });
    const text = await response.text();
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
    await worker?.stop();
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
    countIntakeJobs,
    sendUntilRedisTakes,
    startWorker: startAnotherWorker,
    startGateway: startAnotherGateway,
    masterKey: new MasterKey(masterKey),
  };
}

/** A `test` whose file has a `relay` of its own, and each test a `receiver`. */
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
