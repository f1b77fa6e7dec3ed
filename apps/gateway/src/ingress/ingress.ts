// The public port: `POST /in/{source}` (with a token for a dynamic source) and liveness, nothing else. A webhook gets a
// 2xx only after the checks of `admit` and after a store has made the event durable.

import type { KeyObject } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";

import type { HttpBindings } from "@hono/node-server";
import { type Context, Hono } from "hono";
import { getPath } from "hono/utils/url";

import type { QueuedEvent } from "@sluice/queue/jobs";
import { newId } from "@sluice/shared/domain/ids";
import type { TraceContext } from "@sluice/shared/domain/trace-context";
import { type ErrorCode, SluiceError } from "@sluice/shared/runtime/errors";
import { answerLiveness } from "@sluice/shared/runtime/health";
import type { Logger } from "@sluice/shared/runtime/log";
import { sparing } from "@sluice/shared/runtime/sparing-log";
import type { CallbackToken } from "@sluice/signature/callback-token";
import { type Refusal, type RefusalReason, refuse } from "@sluice/signature/refusal";
import type { SpentToken } from "@sluice/signature/verification/scheme";
import { MAX_ID_LENGTH } from "@sluice/signature/verification/webhook-id";
import { judgeHeaders, type ReceivedHeaders, type Verdict } from "@sluice/signature/verify";

import type { Source } from "@sluice/store/configuration/sources";

import type { FindClientAddress } from "../http/client-address.ts";
import { toResponse } from "../http/health-routes.ts";
import { problem } from "../http/problem.ts";
import { judgeAccess } from "./access.ts";
import { judgeRequest } from "./judge.ts";
import type { JwksCache } from "./jwks-cache.ts";
import type { SourceLookup } from "./known-sources.ts";
import { lingerOverUnread } from "./linger.ts";
import { announcesTooMuch, type BodyReader } from "./read-body.ts";
import { refuseConsumedUrl, refuseSpentToken, refuseTooLarge } from "./refusals.ts";
import type { IngressRequest } from "./request.ts";

const NO_SOURCE = "There is no source at this path";

/** The server ends unfinished requests after 30 s. Most of a crowd of them is therefore gone after 10 s. */
const CROWD_RETRY_AFTER_SECONDS = 10;
/** Somebody has to set the secret of the source. */
const SECRET_RETRY_AFTER_SECONDS = 60;
/** The gateway tries to fetch a key set again after 5 s. */
const KEYS_RETRY_AFTER_SECONDS = 10;

type IngressEnv = { Bindings: HttpBindings };
type IngressContext = Context<IngressEnv>;

export interface IngressDependencies {
  sources: SourceLookup;
  keySets: JwksCache;
  callbackKey: KeyObject;
  /**
   * Marks a single-use URL as used by a webhook.
   * @returns false when another webhook used the URL before.
   * @throws SluiceError `unavailable` when PostgreSQL does not answer.
   */
  consumeCallback: (callback: CallbackToken, webhookId: string) => Promise<boolean>;
  /**
   * Whether a JWT proved another webhook id before, as far as this gateway can tell now. Never rejects: the worker decides
   * again when it stores the event.
   */
  isSpentToken: (source: Source, token: SpentToken, webhookId: string) => Promise<boolean>;
  /**
   * Resolves when the event is durable.
   * @param arrivedAt `performance.now()` when the request arrived, from which its deadline counts.
   * @throws SluiceError `unavailable` when that is not certain.
   */
  enqueue: (event: QueuedEvent, arrivedAt: number) => Promise<void>;
  findClientAddress: FindClientAddress;
  /** Is called for every POST to a path at which there is no source. */
  onStray: (path: string) => void;
  /** Is called once for every webhook, when its answer is known. */
  onAnswered: (request: IngressRequest) => void;
  /** Reads the trace of the sender; undefined where nothing is traced. */
  readCaller: ((headers: IncomingHttpHeaders) => TraceContext | undefined) | undefined;
  bodies: BodyReader;
  maxBodyBytes: number;
  log: Logger;
}

export function createIngress(dependencies: IngressDependencies): Hono<IngressEnv> {
  const { log } = dependencies;
  const app = new Hono<IngressEnv>({ getPath: getTidyPath });
  // One handler for each path and no middleware. With several handlers Hono makes a chain of closures for each request,
  // and the chain stays in memory while the event waits for its store.
  app.all("/in/:source/:token?", (c) => {
    if (c.req.method === "POST") return receiveWebhook(c, dependencies);
    c.header("allow", "POST");
    return answerIngressError(c, new SluiceError("method_not_allowed", "Webhooks are sent with POST"));
  });
  app.all("/healthz", (c) => lingerOverUnread(c.env, toResponse(c, answerLiveness(c.req.method))));
  app.notFound((c) => {
    if (c.req.method === "POST") dependencies.onStray(c.req.path);
    return answerIngressError(c, new SluiceError("not_found", "This port serves POST /in/{source} and GET /healthz"));
  });
  app.onError((error, c) => {
    log.error({ err: error }, "ingress failed");
    return answerIngressError(c, new SluiceError("internal", "The relay failed"));
  });
  return app;
}

/** People write a slash too many when they register an address: `//in/gemini` and `/in/gemini/` mean `/in/gemini`. */
function getTidyPath(request: Request): string {
  const path = getPath(request);
  return path.includes("//") || path.endsWith("/") ? path.replaceAll(/\/{2,}/g, "/").replace(/(?<=.)\/$/, "") : path;
}

/** Takes a webhook from its socket to the queue, and answers. */
async function receiveWebhook(c: IngressContext, dependencies: IngressDependencies): Promise<Response> {
  const { enqueue, onAnswered, readCaller, log } = dependencies;
  const request: IngressRequest = {
    startedAt: performance.now(),
    sourceName: c.req.param("source") ?? "",
    remoteAddress: dependencies.findClientAddress(c.env.incoming),
    webhookId: undefined,
    sizeBytes: undefined,
    bodyMs: 0,
    status: 200,
  };
  if (readCaller !== undefined) request.caller = readCaller(c.env.incoming.headers);
  let response: Response;
  try {
    // A function of its own, so that what `admit` needed is not in memory while the event waits for its store.
    const admission = await admit(c, request, dependencies);
    if (admission.kind === "refused") {
      response = answerRefusal(c, request, admission);
    } else {
      await enqueue(admission.event, request.startedAt + request.bodyMs);
      response = c.json({ status: "received", webhook_id: request.webhookId });
    }
  } catch (error) {
    response = answerFailure(c, request, error, log);
  } finally {
    onAnswered(request);
  }
  return lingerOverUnread(c.env, response);
}

type Admission = { kind: "admitted"; event: QueuedEvent } | Refusal;

/**
 * Checks a request, the cheap checks first, and makes an event of it. Fills in what it learns about the request.
 * @throws SluiceError `unknown_source`, or `unavailable` when the request cannot be judged now.
 */
async function admit(
  c: IngressContext,
  request: IngressRequest,
  { sources, keySets, callbackKey, consumeCallback, isSpentToken, onStray, bodies, maxBodyBytes }: IngressDependencies,
): Promise<Admission> {
  const { incoming, outgoing } = c.env;
  // Node has parsed these headers already. Hono would copy them into a Headers object for each request.
  const { headers: received } = incoming;
  const { sourceName } = request;

  let source = sources.find(sourceName);
  request.source = source;
  const contentLength = received["content-length"];
  if (announcesTooMuch(contentLength, maxBodyBytes)) {
    request.sizeBytes = Number(contentLength);
    return refuseTooLarge(maxBodyBytes);
  }
  // Another gateway may have created the source a moment ago.
  source ??= await sources.findNewer(sourceName, undefined);
  request.source = source;
  if (source === undefined) {
    onStray(c.req.path);
    throw new SluiceError("unknown_source", NO_SOURCE);
  }

  const nowMs = Date.now();
  const headers = readWebhookHeaders(received);
  request.webhookId = headers.webhookId?.slice(0, MAX_ID_LENGTH);

  const token = c.req.param("token");
  let access = judgeAccess(source, token, callbackKey, nowMs);
  if (access.kind === "refused" && access.reason === "unknown_token") {
    // Another gateway may have created the token a moment ago.
    source = (await sources.findNewer(sourceName, source)) ?? source;
    access = judgeAccess(source, token, callbackKey, nowMs);
  }
  if (access.kind === "refused") return access;
  const { callback } = access;

  // Before the body, so that a request with bad headers costs no memory.
  const plausible = judgeHeaders(headers, source, nowMs);
  if (plausible.kind === "refused") return plausible;

  const readFrom = performance.now();
  const read = await bodies.read(incoming, outgoing);
  request.bodyMs = performance.now() - readFrom;
  if (read.kind === "too_large") return refuseTooLarge(maxBodyBytes);
  if (read.kind === "interrupted") return refuse("body_interrupted", "The body ended before it was complete");
  if (read.kind === "crowded_out") {
    c.header("connection", "close");
    const detail = "The relay is reading too many bodies at once; the sender should retry";
    throw new SluiceError("unavailable", detail, { retryAfterSeconds: CROWD_RETRY_AFTER_SECONDS });
  }
  request.sizeBytes = read.body.length;

  let verdict: Verdict;
  try {
    verdict = await judgeRequest(plausible, read.body, source, { keySets, sources });
  } finally {
    // From now on the batcher counts the body.
    bodies.release(read);
  }
  if (verdict.kind === "refused") return verdict;
  if (verdict.kind === "undecidable") {
    const detail = "The relay could not fetch the keys to verify this webhook yet; the sender should retry";
    throw new SluiceError("unavailable", detail, { retryAfterSeconds: KEYS_RETRY_AFTER_SECONDS });
  }
  const { webhookId, scheme, body, userMetadata, bodyUnbound, token: spent } = verdict;
  request.webhookId = webhookId;
  if (spent !== undefined && (await isSpentToken(source, spent, webhookId))) {
    return refuseSpentToken();
  }

  if (callback?.singleUse === true && !(await consumeCallback(callback, webhookId))) {
    return refuseConsumedUrl();
  }

  const id = newId();
  request.eventId = id;
  const event: QueuedEvent = {
    id,
    sourceId: source.id,
    sourceName: source.name,
    webhookId,
    scheme,
    receivedAtMs: nowMs,
    contentType: received["content-type"] ?? null,
    body: body.toString("base64"),
  };
  const contentEncoding = received["content-encoding"];
  if (contentEncoding !== undefined) event.contentEncoding = contentEncoding;
  if (callback !== undefined) event.labels = callback.labels;
  if (userMetadata !== undefined) event.userMetadata = userMetadata;
  if (bodyUnbound) event.bodyUnbound = true;
  if (spent !== undefined) event.token = spent;
  return { kind: "admitted", event };
}

/** Node joins most headers that come several times into one, and keeps the first of a few, such as `content-type`. */
function readHeader(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header.join(", ") : header;
}

function readWebhookHeaders(received: IncomingHttpHeaders): ReceivedHeaders {
  return {
    webhookId: readHeader(received["webhook-id"]),
    timestamp: readHeader(received["webhook-timestamp"]),
    signature: readHeader(received["webhook-signature"]),
  };
}

/** The error codes of the answers. All other reasons are answered with `verification_failed` and the reason. */
const CODE_BY_REASON: Partial<Record<RefusalReason, ErrorCode>> = {
  too_large: "payload_too_large",
  body_interrupted: "body_interrupted",
  // The same answer as without a source, so that guessing tokens reveals nothing.
  missing_token: "unknown_source",
  // Not a 400: the sender should come back, because the operator may still be about to set the secret.
  no_secret: "unavailable",
  unknown_token: "unknown_source",
};

function answerRefusal(c: IngressContext, request: IngressRequest, refusal: Refusal): Response {
  const code = CODE_BY_REASON[refusal.reason] ?? "verification_failed";
  const detail = code === "unknown_source" ? NO_SOURCE : refusal.detail;
  const comesBack = code === "unavailable" ? { retryAfterSeconds: SECRET_RETRY_AFTER_SECONDS } : {};
  const error = new SluiceError(code, detail, comesBack);
  request.status = error.status;
  request.code = code;
  request.refusal = refusal;
  const isTold = code === "verification_failed" || code === "unavailable";
  return problem(c, error, isTold ? { reason: refusal.reason } : {});
}

function answerFailure(c: IngressContext, request: IngressRequest, cause: unknown, log: Logger): Response {
  const error = cause instanceof SluiceError ? cause : new SluiceError("internal", "The relay failed", { cause });
  request.status = error.status;
  request.code = error.code;
  // While a store is away this happens to every request, and onAnswered logs each request anyway.
  if (error.status === 503) sparing(log).warn({ err: cause }, "ingress unavailable");
  else if (error.status >= 500) log.error({ err: cause }, "ingress failed");
  return problem(c, error);
}

function answerIngressError(c: IngressContext, error: SluiceError): Promise<Response> {
  return lingerOverUnread(c.env, problem(c, error));
}
