// The API for tests. It uses the database of the test, is called like a client calls it, and records what it asks of the
// workers and of the ingress.

import { randomBytes } from "node:crypto";

import { type ApiDependencies, createApi } from "@sluice/gateway/api/api";
import { TAIL_LIMITS, Tails } from "@sluice/gateway/api/log/tails";
import { PULL_WAIT_LIMITS, PullWaits } from "@sluice/gateway/api/pull/pull-waits";
import { PulledAttempts } from "@sluice/gateway/api/pull/pulled-attempts";
import { createDocument } from "@sluice/gateway/api/openapi/document";
import { clientAddressFinder } from "@sluice/gateway/http/client-address";
import { TrustedProxies } from "@sluice/gateway/http/trusted-proxies";
import { examine, type ExamineDependencies } from "@sluice/gateway/ingress/examine";
import { JwksCache } from "@sluice/gateway/ingress/jwks-cache";
import { gatewayConfig } from "@sluice/gateway/gateway-config";
import { Metrics } from "@sluice/gateway/metrics";
import { newId } from "@sluice/shared/domain/ids";
import { openLog } from "@sluice/shared/runtime/log";
import { RecentLog } from "@sluice/shared/runtime/recent-log";
import { describeSettings } from "@sluice/shared/settings/describe-settings";
import { MasterKey } from "@sluice/shared/settings/master-key";
import { Secret } from "@sluice/shared/settings/secret";
import { CALLBACK_KEY_PURPOSE } from "@sluice/signature/callback-token";
import { readSigningSecret, type SigningSecret } from "@sluice/signature/secret";
import { generateApiKey } from "@sluice/shared/domain/api-key";
import { insertApiKey } from "@sluice/store/configuration/api-keys";
import { ensureBuiltInSources, findSourceId } from "@sluice/store/configuration/sources";
import { readRevision } from "@sluice/store/connection/configuration-revision";
import type { Database } from "@sluice/store/connection/database";
import { type AttemptRecord, recordAttempts } from "@sluice/store/delivery/deliveries";
import { RelayFiguresReader } from "@sluice/store/delivery/relay-figures";
import { type NewEvent, storeEvents } from "@sluice/store/delivery/store-events";
import type { Scope } from "@sluice/store/schema";

import { test as base } from "../database.ts";
import { guardOf } from "../guard.ts";
import { loadSources } from "../load-sources.ts";
import { makeAttempt, makeDelivery, makeEvent } from "../seed.ts";
import { createAnswerContract } from "./answer-contract.ts";

export const ADMIN_KEY = "admin-key-of-this-test";
export const WORKER_ID = newId();
export const A_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
export const PUBLIC_URL = "https://hooks.example.com";
export const ENVIRONMENT_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

// oxlint-disable-next-line typescript/no-explicit-any -- an answer is what a test asserts about it.
type Json = any;

export interface Answer {
  status: number;
  headers: Headers;
  body: Json;
}

export interface CallOptions {
  /** Sent as JSON. A string is sent unchanged, and so are bytes. */
  body?: unknown;
  headers?: Record<string, string>;
  /** The API key; null sends none. The default is the environment's key. */
  key?: string | null;
  remoteAddress?: string;
}

export interface TestApi extends ApiDependencies {
  call: (method: string, path: string, options?: CallOptions) => Promise<Answer>;
  /** The UUIDs of the targets for which the API woke a worker. */
  woken: string[];
  /** How often the API told the ingress to load the sources again. */
  refreshes: { count: number };
  /** The UUIDs of the deliveries that the API asked a worker to attempt at once. */
  tested: string[];
  logLines: Record<string, unknown>[];
  geminiId: string;
  dynamicId: string;
}

export function readSecret(text: string): SigningSecret {
  const read = readSigningSecret(text);
  if ("fault" in read) throw new Error(read.fault);
  return read.secret;
}

export async function createTestApi(db: Database, changes: Partial<ApiDependencies> = {}): Promise<TestApi> {
  await ensureBuiltInSources(db);
  const woken: string[] = [];
  const tested: string[] = [];
  const refreshes = { count: 0 };
  const logLines: Record<string, unknown>[] = [];
  const destination = { write: (line: string) => void logLines.push(JSON.parse(line) as Record<string, unknown>) };
  const recentLog = new RecentLog();
  const masterKey = changes.masterKey ?? new MasterKey(randomBytes(32));
  const dependencies: ApiDependencies = {
    db,
    masterKey,
    adminApiKey: new Secret(ADMIN_KEY),
    geminiSigningSecret: readSecret(ENVIRONMENT_SECRET),
    publicUrl: PUBLIC_URL,
    geminiApiKey: undefined,
    // Nobody listens there: a test of Gemini's side has a simulator.
    geminiBaseUrl: "http://127.0.0.1:9",
    geminiRequestsPerHour: 1_000,
    reconcileNow: async () => undefined,
    // There is no ingress, so that no ping arrives.
    seenLimitMs: 0,
    secretSpreadsMs: 0,
    addressGuard: guardOf(),
    keySetGuard: guardOf(),
    corsOrigins: [],
    trustedProxies: new TrustedProxies([]),
    apiHosts: [],
    testTarget: async (_, deliveryId) => void tested.push(deliveryId),
    wakeTarget: async (targetId) => {
      woken.push(targetId);
      dependencies.pullWaits.hint(targetId);
    },
    sourcesChanged: async () => void refreshes.count++,
    examine: async (request) => examine(request, await openExamination(db, masterKey)),
    setAside: [],
    readQueueDepth: async () => ({ postgres: 0 }),
    pullDb: db,
    pullWaits: new PullWaits({ db, log: openLog("gateway", "silent"), limits: PULL_WAIT_LIMITS }),
    pulledAttempts: new PulledAttempts({
      count: () => undefined,
      tracing: undefined,
      log: openLog("gateway", "silent"),
    }),
    tails: new Tails({ db, log: openLog("gateway", "silent"), limits: TAIL_LIMITS }),
    metrics: new Metrics(),
    system: {
      db,
      pools: { api: db.pool },
      publicUrl: PUBLIC_URL,
      startedAtMs: Date.now(),
      queueBackend: "postgres",
      redis: undefined,
      setAside: [],
      readReadiness: async () => ({
        status: "ready",
        checks: { postgres: { ok: true }, queue: { ok: true, takes: "postgres" } },
        problems: [],
      }),
      readFigures: () => new RelayFiguresReader(db).read(),
      readQueueDepth: async () => ({ postgres: 0 }),
    },
    settings: describeSettings(gatewayConfig, {}),
    recentLog,
    findClientAddress: clientAddressFinder([]),
    tracing: undefined,
    log: openLog("gateway", "trace", destination, recentLog),
    ...changes,
  };
  const app = createApi(dependencies);
  const contract = createAnswerContract(createDocument(app));
  const call = async (method: string, path: string, options: CallOptions = {}): Promise<Answer> => {
    const { body, headers, key = ADMIN_KEY, remoteAddress = "192.0.2.1" } = options;
    const isRaw = body === undefined || typeof body === "string" || body instanceof Uint8Array;
    const sent = isRaw ? (body as string | Uint8Array<ArrayBuffer> | undefined) : JSON.stringify(body);
    const init = {
      method,
      headers: {
        ...(key !== null && { authorization: `Bearer ${key}` }),
        ...(sent !== undefined && { "content-type": "application/json" }),
        // On a real connection, a body has a length or is chunked.
        ...(sent !== undefined &&
          headers?.["transfer-encoding"] === undefined && { "content-length": String(Buffer.byteLength(sent)) }),
        ...headers,
      },
      ...(sent !== undefined && { body: sent }),
    };
    // The bindings have the form in which the HTTP server passes them.
    const response = await app.request(path, init, { incoming: { socket: { remoteAddress } } });
    const isStream = response.headers.get("content-type")?.startsWith("text/event-stream") === true;
    // A stream never ends, so it is not read.
    if (isStream) await response.body?.cancel();
    const text = isStream ? "" : await response.text();
    contract.check(method, path, { status: response.status, headers: response.headers, text });
    return { status: response.status, headers: response.headers, body: readBody(response, text) };
  };
  const geminiId = (await findSourceId(db, "gemini")) ?? "";
  const dynamicId = (await findSourceId(db, "gemini-dynamic")) ?? "";
  return { ...dependencies, call, woken, tested, refreshes, logLines, geminiId, dynamicId };
}

/** What judging a captured request needs, without an ingress and without the key sets of Google. */
async function openExamination(db: Database, masterKey: MasterKey): Promise<ExamineDependencies> {
  const sources = await loadSources(db, masterKey);
  const log = openLog("gateway", "silent");
  const nobody = { fetchKeySet: () => Promise.reject(new Error("no network")), save: async () => undefined };
  return {
    sources: { find: (name) => sources.find((source) => source.name === name), findNewer: async () => undefined },
    keySets: new JwksCache({ ...nobody, now: Date.now, log }),
    callbackKey: masterKey.deriveKey(CALLBACK_KEY_PURPOSE),
    isSpentToken: async () => false,
    findConsumer: async () => undefined,
    findLateRefusal: async () => undefined,
    maxBodyBytes: 1024 * 1024,
  };
}

function readBody(response: Response, text: string): Json {
  if (text === "") return undefined;
  return response.headers.get("content-type")?.includes("json") === true ? JSON.parse(text) : text;
}

export const test = base.extend("api", { scope: "file" }, ({ database }) => createTestApi(database.db));

/** Stores a new API key. @returns the key in the clear. */
export async function storeKey(api: TestApi, scopes: Scope[], expiresAt: Date | null = null): Promise<string> {
  const key = generateApiKey();
  // The id makes the name unique.
  await insertApiKey(api.db, key, { name: `of ${scopes.join(" and ")} ${newId()}`, scopes, expiresAt });
  return key;
}

/** The pointers of the `errors` in a problem document. */
export function pointersOf(answer: Answer): string[] {
  return ((answer.body.errors ?? []) as { pointer: string }[]).map((error) => error.pointer);
}

/** Stores an event as a worker does, with one delivery for each target. The worker of this test has leased each of them. */
export async function seedEvent(
  api: TestApi,
  targetIds: readonly string[] = [],
  changes: Partial<NewEvent> = {},
): Promise<{ eventId: string; webhookId: string; deliveryIds: string[] }> {
  const event = makeEvent({
    sourceId: api.geminiId,
    occurredAtMs: Date.parse("2026-01-22T12:00:00Z"),
    body: Buffer.from('{"type":"batch.succeeded","data":{"id":"batch_1"}}'),
    ...changes,
  });
  const deliveries = targetIds.map((targetId) => makeDelivery(event, targetId, { leased: true }));
  const lease = { workerId: WORKER_ID, durationMs: 600_000 };
  const result = await storeEvents(api.db, await readRevision(api.db, "targets"), [event], deliveries, lease);
  if (result.kind !== "stored") throw new Error("The event was not stored");
  return { eventId: event.id, webhookId: event.webhookId, deliveryIds: deliveries.map(({ id }) => id) };
}

/** Records an attempt of a delivery that the worker of this test has leased. */
export async function recordAttempt(
  api: TestApi,
  id: string,
  next: AttemptRecord["next"],
  changes: Partial<AttemptRecord> = {},
): Promise<void> {
  const attempt = makeAttempt(id, { responseExcerpt: "oops", next, ...changes });
  await recordAttempts(api.db, [attempt], WORKER_ID);
}
