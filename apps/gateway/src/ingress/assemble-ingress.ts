// Puts the ingress together: the sources and the keys to verify with, the batcher that makes events durable, and the
// records of answered requests.

import type { QueuedEvent } from "@sluice/queue/jobs";
import type { StoreName } from "@sluice/queue/queue";
import type { AddressGuard } from "@sluice/shared/address/guard";
import { SluiceError } from "@sluice/shared/runtime/errors";
import type { Logger } from "@sluice/shared/runtime/log";
import { within } from "@sluice/shared/runtime/within";
import { CALLBACK_KEY_PURPOSE, type CallbackToken } from "@sluice/signature/callback-token";
import { refuse } from "@sluice/signature/refusal";
import type { SpentToken } from "@sluice/signature/verification/scheme";
import type { Verdict } from "@sluice/signature/verify";
import { saveKeySet } from "@sluice/store/configuration/key-sets";
import type { Source } from "@sluice/store/configuration/sources";
import type { Database } from "@sluice/store/connection/database";
import { findLateRefusal } from "@sluice/store/log/rejections";
import { findSpentToken } from "@sluice/store/requests/spent-tokens";
import { consumeCallback, findConsumer } from "@sluice/store/requests/consumed-callbacks";
import type { Tracing } from "@sluice/tracing/tracing";

import type { GatewayConfig } from "../gateway-config.ts";
import type { GatewayStores } from "../gateway-stores.ts";
import type { CapturedRequest } from "../http/captured-request.ts";
import type { FindClientAddress } from "../http/client-address.ts";
import type { Metrics } from "../metrics.ts";
import { Batcher } from "./batcher.ts";
import { examine } from "./examine.ts";
import { fetchKeySet } from "./fetch-key-set.ts";
import { limitIngressMemory } from "./ingress-memory.ts";
import { createIngress } from "./ingress.ts";
import { JwksCache } from "./jwks-cache.ts";
import { KnownSources } from "./known-sources.ts";
import { BodyReader } from "./read-body.ts";
import { RejectionLog } from "./rejections.ts";
import { strayLog } from "./stray-log.ts";
import { describeRequest, type IngressRequest } from "./request.ts";
import { readCaller, traceReceipt } from "./trace-receipt.ts";

/**
 * The time from the arrival of a request to its answer, by the store that takes jobs first. It MUST be above the limit of
 * one job, and below the time that senders wait. PostgreSQL alone has a limit of 5 s. With Redis, a job takes at most
 * 0.75 s there, 3 s on PostgreSQL, and 0.75 s on Redis again.
 */
const DURABLE_DEADLINE_MS: Record<StoreName, number> = { redis: 5_500, postgres: 6_000 };
/** The time that PostgreSQL has to say whether a single-use URL was used. It MUST be below the time that senders wait. */
const CONSUME_LIMIT_MS = 3_000;
const CONSUME_RETRY_AFTER_SECONDS = 5;
/** The time that PostgreSQL has to say whether a JWT was used. Short, because the worker asks again. */
const SPENT_LIMIT_MS = 500;

export interface AssembledIngress {
  app: ReturnType<typeof createIngress>;
  sources: KnownSources;
  rejections: RejectionLog;
  /** Judges a captured request and changes nothing. @throws SluiceError `not_found`, `unavailable` */
  examine: (request: CapturedRequest) => Promise<Verdict>;
}

interface IngressParts extends GatewayStores {
  metrics: Metrics;
  findClientAddress: FindClientAddress;
  keySetGuard: AddressGuard;
  tracing: Tracing | undefined;
}

export function assembleIngress(
  config: GatewayConfig,
  {
    ingressDb: db,
    masterKey,
    snapshot,
    identity,
    backend,
    producer,
    metrics,
    findClientAddress,
    keySetGuard,
    tracing,
  }: IngressParts,
  log: Logger,
): AssembledIngress {
  const keySets = new JwksCache({
    fetchKeySet: (uri) => fetchKeySet(uri, keySetGuard),
    save: (keySet) => saveKeySet(db, keySet),
    now: Date.now,
    log,
  });
  const sources = new KnownSources({
    db,
    masterKey,
    geminiSecret: config.GEMINI_SIGNING_SECRET?.reveal(),
    keySets,
    dataDir: config.DATA_DIR,
    snapshot,
    relayId: () => identity.id,
    log,
  });
  metrics.watchSources(() => sources.age());

  const addIntakeJob = async (events: QueuedEvent[]) =>
    metrics.countIntakeJob(await producer.add("intake", { events }));
  const batcher = new Batcher(addIntakeJob, {
    deadlineMs: DURABLE_DEADLINE_MS[backend.kind],
    maxBodyBytes: config.MAX_BODY_BYTES,
  });
  const rejections = new RejectionLog({ db, metrics, log });

  const logStray = strayLog(log);
  const judges = {
    sources,
    keySets,
    callbackKey: masterKey.deriveKey(CALLBACK_KEY_PURPOSE),
    isSpentToken: (source: Source, token: SpentToken, webhookId: string) =>
      isSpentByAnother(db, source, token, webhookId),
    maxBodyBytes: config.MAX_BODY_BYTES,
  };
  const app = createIngress({
    ...judges,
    consumeCallback: (callback, webhookId) => consumeCallbackInTime(db, callback, webhookId),
    findClientAddress,
    onStray: (path) => {
      metrics.countStray();
      logStray(path);
    },
    enqueue: (event, arrivedAt) => batcher.add(event, arrivedAt),
    onAnswered: (request) => recordRequest(request, { metrics, rejections, tracing, log }),
    readCaller: tracing && readCaller,
    bodies: new BodyReader({
      maxBytes: config.MAX_BODY_BYTES,
      maxCount: config.MAX_CONCURRENT_BODIES,
      memory: limitIngressMemory(config.MAX_BODY_BYTES),
    }),
    log,
  });
  const examination = {
    ...judges,
    findConsumer: ({ id }: CallbackToken) => findConsumer(db, id),
    findLateRefusal: async ({ id }: Source, webhookId: string) => {
      const late = await findLateRefusal(db, id, webhookId);
      return late && refuse(late.reason, late.detail);
    },
  };
  return { app, sources, rejections, examine: (request) => examine(request, examination) };
}

/** Failure policy: closed. When nobody knows whether the URL was used, the sender should come back. */
async function consumeCallbackInTime(db: Database, callback: CallbackToken, webhookId: string): Promise<boolean> {
  const asked = consumeCallback(db, callback.id, webhookId, callback.expiresAtMs).catch((error: unknown) => {
    throw callbackNotChecked(error);
  });
  const isUsedByThisWebhook = await within(CONSUME_LIMIT_MS, asked);
  if (isUsedByThisWebhook === undefined) throw callbackNotChecked();
  return isUsedByThisWebhook;
}

/** Failure policy: open. The worker decides for certain when it stores the event. */
async function isSpentByAnother(db: Database, { id }: Source, token: SpentToken, webhookId: string): Promise<boolean> {
  const asked = findSpentToken(db, id, token.id).catch(() => undefined);
  const spentBy = await within(SPENT_LIMIT_MS, asked);
  return spentBy !== undefined && spentBy !== webhookId;
}

function callbackNotChecked(cause?: unknown): SluiceError {
  const detail = "PostgreSQL did not say whether the callback URL was used before; the sender should retry";
  return new SluiceError("unavailable", detail, { retryAfterSeconds: CONSUME_RETRY_AFTER_SECONDS, cause });
}

interface RequestRecords {
  metrics: Metrics;
  rejections: RejectionLog;
  tracing: Tracing | undefined;
  log: Logger;
}

function recordRequest(request: IngressRequest, { metrics, rejections, tracing, log }: RequestRecords): void {
  const { source, refusal, status } = request;
  if (log.isLevelEnabled("info")) log.info(describeRequest(request), "ingress");
  metrics.countRequest({ source: source?.name, status, durationMs: performance.now() - request.startedAt });
  if (tracing !== undefined) traceReceipt(tracing, request);
  if (source === undefined || refusal === undefined) return;
  rejections.record({ ...request, ...refusal, sourceId: source.id, sourceName: source.name });
}
