// The gateway: ingress on one port, the API on another, over PostgreSQL and the queue.

import { setTimeout as delay } from "node:timers/promises";

import { createAddressGuard } from "@sluice/shared/address/guard";
import { CALLBACK_KEY_PURPOSE } from "@sluice/shared/callback-token";
import type { GatewayConfig } from "@sluice/shared/config";
import { Readiness } from "@sluice/shared/health";
import { closeServer, listen } from "@sluice/shared/http-server";
import type { Logger } from "@sluice/shared/log";
import { readOrCreateMasterKey } from "@sluice/shared/master-key-file";
import { queueChecks } from "@sluice/shared/queue/checks";
import { openQueueBackend } from "@sluice/shared/queue/open";
import { createFirstApiKey, generateApiKey } from "@sluice/shared/store/api-keys";
import { SluiceError } from "@sluice/shared/errors";
import type { QueuedEvent } from "@sluice/shared/queue/jobs";
import { connectDatabase } from "@sluice/shared/store/connect";
import { consumeCallback } from "@sluice/shared/store/consumed-callbacks";
import { loadKeySets, saveKeySet } from "@sluice/shared/store/key-sets";
import { Refreshed } from "@sluice/shared/store/refreshed";
import { ensureBuiltInSources, GEMINI_SOURCE, loadSources, type Source } from "@sluice/shared/store/sources";
import { within } from "@sluice/shared/within";
import { Hono } from "hono";

import { createApi } from "./api/api.ts";
import { createHealth } from "./health.ts";
import { Batcher } from "./ingress/batcher.ts";
import { fetchKeySet } from "./ingress/fetch-key-set.ts";
import { createIngress } from "./ingress/ingress.ts";
import { JwksCache } from "./ingress/jwks-cache.ts";
import { BodyReader } from "./ingress/read-body.ts";
import { RejectionLog } from "./ingress/rejections.ts";
import { describeRequest, type Request } from "./ingress/request.ts";
import { Metrics } from "./metrics.ts";
import { openServer } from "./server.ts";

const CONNECTIONS = 10;
/** How long running requests may take to end when the gateway stops. */
const STOP_LIMIT_MS = 10_000;
/** And what they used, to close after them: a store that hangs does not answer a goodbye. */
const CLOSE_LIMIT_MS = 5_000;
/**
 * From the arrival of an event to its answer. Above the limit of one add, which is 5 s on PostgreSQL, and with Redis
 * before it 0.75 s there, 3 s on PostgreSQL and 0.75 s more; and below what senders wait.
 */
const DURABLE_DEADLINE_MS = { redis: 5_500, postgres: 6_000 };
/** A wake-up that is asked for twice in this time is asked for once. */
const WAKE_WINDOW_MS = 100;

export interface Gateway {
  ingressUrl: string;
  apiUrl: string;
  stop: () => Promise<void>;
}

export interface GatewayOptions {
  /** How long, when it is told to stop, it says on /readyz that it will, and takes events all the same. */
  stopNoticeMs?: number;
}

export async function startGateway(
  config: GatewayConfig,
  log: Logger,
  { stopNoticeMs = 0 }: GatewayOptions = {},
): Promise<Gateway> {
  const masterKey = config.MASTER_KEY?.reveal() ?? readOrCreateMasterKey(config.DATA_DIR);
  const databaseUrl = config.DATABASE_URL.reveal();
  const geminiSecret = config.GEMINI_SIGNING_SECRET?.reveal();
  const db = await connectDatabase({
    url: databaseUrl,
    applicationName: "sluice-gateway",
    maxConnections: CONNECTIONS,
    masterKey,
    log,
  });
  await ensureBuiltInSources(db);
  if (config.ADMIN_API_KEY === undefined) await printFirstApiKey();

  const sources = await Refreshed.open(db, loadSourcesByName, log);
  const backend = openQueueBackend(databaseUrl, config.REDIS_URL?.reveal(), log, config.REDIS_DURABILITY);
  const producer = backend.openProducer();
  const metrics = new Metrics(producer);
  const makeDurable = async (events: QueuedEvent[]) => metrics.countIntakeJob(await producer.add("intake", { events }));
  const batcher = new Batcher(makeDurable, {
    deadlineMs: DURABLE_DEADLINE_MS[backend.kind],
    maxBodyBytes: config.MAX_BODY_BYTES,
  });

  const keySets = await JwksCache.open({
    fetchKeySet,
    load: () => loadKeySets(db),
    save: (keySet) => saveKeySet(db, keySet),
    now: Date.now,
    log,
  });
  const callbackKey = masterKey.deriveKey(CALLBACK_KEY_PURPOSE);
  const rejections = new RejectionLog({ db, metrics, log });
  const onAnswered = (request: Request) => {
    const { source, refusal, status } = request;
    log.info(describeRequest(request), "ingress");
    metrics.countRequest({ source: source?.name, status, durationMs: performance.now() - request.startedAt });
    if (source === undefined || refusal === undefined) return;
    rejections.record({ ...request, ...refusal, sourceId: source.id, sourceName: source.name });
  };
  const ingress = createIngress({
    sources: {
      find: (name) => sources.current.value.get(name),
      findNewer: async (name, known) => {
        const { current } = sources;
        // What is known was taken of an older copy when another request had this one brought.
        if (current.value.get(name) !== known) return current.value.get(name);
        return (await sources.newerThan(current))?.value.get(name);
      },
    },
    keySets,
    callbackKey,
    consumeCallback: ({ id, expiresAtMs }, webhookId) =>
      consumeCallback(db, id, webhookId, expiresAtMs).catch((error: unknown) => {
        // Failure policy: closed. Whether the URL was used is not known, so the sender comes back.
        throw new SluiceError("unavailable", "PostgreSQL is not available", { retryAfterSeconds: 5, cause: error });
      }),
    onAnswered,
    makeDurable: (event) => batcher.add(event),
    bodies: new BodyReader({ maxBytes: config.MAX_BODY_BYTES, maxCount: config.MAX_CONCURRENT_BODIES }),
    maxBodyBytes: config.MAX_BODY_BYTES,
    log,
  });
  const readiness = new Readiness({
    // Where a store of the queue answers, events are taken without it.
    postgres: { isRequired: false, ask: () => db.pool.query("SELECT").then(() => ({ ok: true })) },
    ...queueChecks(producer, { isRequired: true }),
  });
  const api = createApi({
    db,
    masterKey,
    adminApiKey: config.ADMIN_API_KEY,
    geminiSigningSecret: geminiSecret,
    wakeTarget: (targetId) =>
      producer.add("deliver", { targetId }, { key: `now-${targetId}-${Math.floor(Date.now() / WAKE_WINDOW_MS)}` }),
    publicUrl: config.PUBLIC_URL,
    addressGuard: createAddressGuard({ allow: config.TARGET_ALLOW, deny: config.TARGET_DENY }),
    corsOrigins: config.CORS_ORIGINS ?? [],
    setAside: producer.setAside,
    sourcesChanged: () => sources.refresh(),
    metrics,
    log,
  });
  const privateApp = new Hono().route("/", createHealth(readiness)).mount("/", api.fetch, { replaceRequest: false });

  const publicPort = openServer(ingress.fetch, log, { answersContinue: true });
  const privatePort = openServer(privateApp.fetch, log);
  const closeStores = async () => {
    await rejections.close();
    await sources.close();
    await producer.close();
    await backend.close();
    await db.close();
    return true;
  };
  const stop = async () => {
    readiness.beginStop();
    for (const { endConnections } of [publicPort, privatePort]) endConnections();
    // So that a balancer that asks turns away before the port closes.
    if (publicPort.server.listening) await delay(stopNoticeMs);
    await Promise.all([publicPort, privatePort].map(({ server }) => closeServer(server, STOP_LIMIT_MS)));
    // Failure policy: open. Every event that was acknowledged is durable, and nothing else is lost.
    if ((await within(CLOSE_LIMIT_MS, closeStores())) === undefined) log.warn("the stores did not close in time");
  };
  try {
    // So that the first events find known which store takes them.
    await producer.status();
    const ingressUrl = await listen(publicPort.server, { host: config.HOST, port: config.PORT }, "PORT");
    const apiUrl = await listen(privatePort.server, { host: config.API_HOST, port: config.API_PORT }, "API_PORT");
    log.info({ ingress: ingressUrl, api: apiUrl, queue: backend.kind }, "gateway started");
    return { ingressUrl, apiUrl, stop };
  } catch (error) {
    await stop();
    throw error;
  }

  async function loadSourcesByName(): Promise<Map<string, Source>> {
    const loaded = await loadSources(db, masterKey);
    const gemini = loaded.find((source) => source.name === GEMINI_SOURCE);
    if (geminiSecret !== undefined) gemini?.hmacKeys.push({ key: geminiSecret.key, expiresAtMs: undefined });
    return new Map(loaded.map((source) => [source.name, source]));
  }

  async function printFirstApiKey(): Promise<void> {
    const key = generateApiKey();
    // Not through the log, which keeps no secrets: this is the one time that the key is seen.
    if (await createFirstApiKey(db, key)) process.stdout.write(`API key (shown this once): ${key}\n`);
  }
}
