// The gateway: ingress on one port, the API on another, over PostgreSQL and the queue.

import { createAddressGuard } from "@sluice/shared/address/guard";
import { CALLBACK_KEY_PURPOSE } from "@sluice/signature/callback-token";
import { Readiness } from "@sluice/shared/runtime/health";
import { closeServer, listen } from "@sluice/shared/runtime/http-server";
import type { Logger } from "@sluice/shared/runtime/log";
import { readOrCreateMasterKey } from "@sluice/shared/settings/master-key-file";
import { queueChecks } from "@sluice/queue/checks";
import { openQueueBackend } from "@sluice/queue/open";
import { createFirstApiKey, generateApiKey } from "@sluice/store/configuration/api-keys";
import { SluiceError } from "@sluice/shared/runtime/errors";
import type { QueuedEvent } from "@sluice/queue/jobs";
import { type Database, isTransient, SEARCH_PLANS } from "@sluice/store/connection/database";
import { connectDatabase } from "@sluice/store/connection/connect";
import { consumeCallback } from "@sluice/store/requests/consumed-callbacks";
import { saveKeySet } from "@sluice/store/configuration/key-sets";
import { ensureBuiltInSources } from "@sluice/store/configuration/sources";
import { within } from "@sluice/shared/runtime/within";
import { Hono } from "hono";

import { createApi } from "./api/api.ts";
import { Tails } from "./api/log/tails.ts";
import type { GatewayConfig } from "./gateway-config.ts";
import { createHealth } from "./http/health-routes.ts";
import { Batcher } from "./ingress/batcher.ts";
import { chooseBodyBudget } from "./ingress/body-budget.ts";
import { fetchKeySet } from "./ingress/fetch-key-set.ts";
import { createIngress } from "./ingress/ingress.ts";
import { JwksCache } from "./ingress/jwks-cache.ts";
import { KnownSources, type SourcesAge } from "./ingress/known-sources.ts";
import { BodyReader } from "./ingress/read-body.ts";
import { RejectionLog } from "./ingress/rejections.ts";
import { describeRequest, type IngressRequest } from "./ingress/request.ts";
import { readSnapshot } from "./ingress/snapshot-keeper.ts";
import { Metrics } from "./metrics.ts";
import { openServer } from "./http/server.ts";

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
/** For PostgreSQL at start, before the ingress opens without it: a restart of both would else serve an old copy. */
const START_LIMIT_MS = 3_000;
/** Whether a single-use URL was used; below what senders wait. */
const CONSUME_LIMIT_MS = 3_000;
/** A wake-up that is asked for twice in this time is asked for once. */
const WAKE_WINDOW_MS = 100;

export interface Gateway {
  ingressUrl: string;
  apiUrl: string;
  /**
   * Resolves when its sources are PostgreSQL's, for which it may wait for hours with its ports open. Rejects when it
   * must not go on.
   */
  started: Promise<void>;
  stop: () => Promise<void>;
}

export interface GatewayOptions {
  /** Until it resolves, a gateway that is told to stop says so on /readyz, and takes events all the same. */
  stopNotice?: () => Promise<void>;
}

export async function startGateway(
  config: GatewayConfig,
  log: Logger,
  { stopNotice = () => Promise.resolve() }: GatewayOptions = {},
): Promise<Gateway> {
  const masterKey = config.MASTER_KEY?.reveal() ?? readOrCreateMasterKey(config.DATA_DIR);
  const databaseUrl = config.DATABASE_URL.reveal();
  const geminiSecret = config.GEMINI_SIGNING_SECRET?.reveal();
  const snapshot = await readSnapshot(config.DATA_DIR, masterKey, log);
  const { db, prepared } = connectDatabase({
    url: databaseUrl,
    applicationName: "sluice-gateway",
    maxConnections: CONNECTIONS,
    settings: SEARCH_PLANS,
    masterKey,
    prepare: async (database) => {
      await ensureBuiltInSources(database);
      if (config.ADMIN_API_KEY === undefined) await printFirstApiKey(database);
    },
    // With a snapshot, only what says that these are not its database's sources ends the gateway: a PostgreSQL that
    // refuses the password is as good as away.
    waitsFor: (error) => isTransient(error) || (snapshot !== undefined && !(error instanceof SluiceError)),
    log,
  });
  const backend = openQueueBackend(databaseUrl, config.REDIS_URL?.reveal(), log, config.REDIS_DURABILITY);
  const producer = backend.openProducer();
  const metrics = new Metrics(producer);
  const addIntakeJob = async (events: QueuedEvent[]) =>
    metrics.countIntakeJob(await producer.add("intake", { events }));
  const batcher = new Batcher(addIntakeJob, {
    deadlineMs: DURABLE_DEADLINE_MS[backend.kind],
    maxBodyBytes: config.MAX_BODY_BYTES,
  });

  const keySets = new JwksCache({ fetchKeySet, save: (keySet) => saveKeySet(db, keySet), now: Date.now, log });
  const { DATA_DIR: dataDir } = config;
  const sources = new KnownSources({ db, masterKey, geminiSecret, keySets, dataDir, snapshot, log });
  const callbackKey = masterKey.deriveKey(CALLBACK_KEY_PURPOSE);
  metrics.watchSources(() => sources.age());
  const rejections = new RejectionLog({ db, metrics, log });
  const onAnswered = (request: IngressRequest) => {
    const { source, refusal, status } = request;
    if (log.isLevelEnabled("info")) log.info(describeRequest(request), "ingress");
    metrics.countRequest({ source: source?.name, status, durationMs: performance.now() - request.startedAt });
    if (source === undefined || refusal === undefined) return;
    rejections.record({ ...request, ...refusal, sourceId: source.id, sourceName: source.name });
  };
  const ingress = createIngress({
    sources,
    keySets,
    callbackKey,
    consumeCallback: async ({ id, expiresAtMs }, webhookId) => {
      // Failure policy: closed. Whether the URL was used is not known, so the sender comes back.
      const asked = consumeCallback(db, id, webhookId, expiresAtMs).catch((error: unknown) => {
        throw storeAway(error);
      });
      const isFirst = await within(CONSUME_LIMIT_MS, asked);
      if (isFirst === undefined) throw storeAway();
      return isFirst;
    },
    onAnswered,
    enqueue: (event) => batcher.add(event),
    bodies: new BodyReader({
      maxBytes: config.MAX_BODY_BYTES,
      maxCount: config.MAX_CONCURRENT_BODIES,
      budget: chooseBodyBudget(config.MAX_BODY_BYTES),
    }),
    maxBodyBytes: config.MAX_BODY_BYTES,
    log,
  });
  const readiness = new Readiness({
    // Where a store of the queue answers, events are taken without it.
    postgres: { isRequired: false, ask: () => db.pool.query("SELECT").then(() => ({ ok: true })) },
    ...queueChecks(producer, { isRequired: true }),
    // Only with its port open: who is told that it is ready sends events at once.
    sources: { isRequired: true, ask: async () => findingOf(publicPort.server.listening ? sources.age() : undefined) },
  });
  const tails = new Tails({ db, log });
  const api = createApi({
    db,
    tails,
    masterKey,
    adminApiKey: config.ADMIN_API_KEY,
    geminiSigningSecret: geminiSecret,
    wakeTarget: (targetId) =>
      producer.add("deliver", { targetId }, { key: `now-${targetId}-${Math.floor(Date.now() / WAKE_WINDOW_MS)}` }),
    testTarget: (targetId, deliveryId) => producer.add("deliver", { targetId, deliveryId }),
    publicUrl: config.PUBLIC_URL,
    addressGuard: createAddressGuard({ allow: config.TARGET_ALLOW, deny: config.TARGET_DENY }),
    corsOrigins: config.CORS_ORIGINS ?? [],
    setAside: producer.setAside,
    readQueueDepth: () => producer.depth("intake"),
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
  const stopping = new AbortController();
  const stop = async () => {
    stopping.abort();
    readiness.beginStop();
    for (const { endConnections } of [publicPort, privatePort]) endConnections();
    // So that a balancer that asks turns away before the port closes.
    if (publicPort.server.listening) await stopNotice();
    // They have no end of their own to wait for.
    tails.close();
    await Promise.all([publicPort, privatePort].map(({ server }) => closeServer(server, STOP_LIMIT_MS)));
    // Failure policy: open. Every event that was acknowledged is durable, and nothing else is lost.
    if ((await within(CLOSE_LIMIT_MS, closeStores())) === undefined) log.warn("the stores did not close in time");
  };
  const started = prepared.then((outcome) => (outcome === "prepared" ? sources.watch(stopping.signal) : undefined));
  // Whoever started the gateway is told of it.
  started.catch(() => undefined);
  try {
    // So that the first events find known which store takes them.
    await producer.status();
    // Before the ingress, so that /readyz says what is waited for.
    const apiUrl = await listen(privatePort.server, { host: config.API_HOST, port: config.API_PORT }, "API_PORT");
    if (
      (await within(
        START_LIMIT_MS,
        started.then(() => true),
      )) === undefined
    ) {
      log.warn({ snapshot: snapshot?.confirmedAt }, "PostgreSQL is away: started without it");
    }
    const ingressUrl = await listen(publicPort.server, { host: config.HOST, port: config.PORT }, "PORT");
    log.info({ ingress: ingressUrl, api: apiUrl, queue: backend.kind }, "gateway started");
    return { ingressUrl, apiUrl, started, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function printFirstApiKey(database: Database): Promise<void> {
  const key = generateApiKey();
  // Not through the log, which keeps no secrets: this is the one time that the key is seen.
  if (await createFirstApiKey(database, key)) process.stdout.write(`API key (shown this once): ${key}\n`);
}

const storeAway = (cause?: unknown) =>
  new SluiceError("unavailable", "PostgreSQL is not available", { retryAfterSeconds: 5, cause });

const findingOf = (age: SourcesAge | undefined) =>
  age === undefined ? { ok: false } : { ok: true, age_seconds: age.seconds, from_snapshot: age.isFromSnapshot };
