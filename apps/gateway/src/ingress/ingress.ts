// The public port: `POST /in/{source}`, with a token for a dynamic source, and liveness; nothing else. Limit,
// access, verification, durability, and only then a 2xx.

import type { KeyObject } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";

import type { HttpBindings } from "@hono/node-server";
import type { CallbackToken } from "@sluice/signature/callback-token";
import { type ErrorCode, SluiceError } from "@sluice/shared/runtime/errors";
import { newId } from "@sluice/shared/domain/ids";
import type { Logger } from "@sluice/shared/runtime/log";
import type { QueuedEvent } from "@sluice/queue/jobs";
import { answerLiveness } from "@sluice/shared/runtime/health";
import { judgeHeaders, type ReceivedHeaders } from "@sluice/signature/verify";
import { sparing } from "@sluice/shared/runtime/sparing-log";
import type { RefusalReason } from "@sluice/signature/refusal";
import { type Context, Hono } from "hono";

import { toResponse } from "../http/health-routes.ts";
import { problem } from "../http/problem.ts";
import { judgeAccess } from "./access.ts";
import { judge } from "./judge.ts";
import type { JwksCache } from "./jwks-cache.ts";
import type { SourceLookup } from "./known-sources.ts";
import { lingerOverUnread } from "./linger.ts";
import { announcesTooMuch, type BodyReader } from "./read-body.ts";
import type { IngressRequest } from "./request.ts";

const NO_SOURCE = "There is no source at this path";

/** A crowd of unfinished requests is gone when their time is, after 30 s at most. */
const RETRY_AFTER_SECONDS = 10;

type IngressEnv = { Bindings: HttpBindings };
type IngressContext = Context<IngressEnv>;

export interface IngressDependencies {
  sources: SourceLookup;
  keySets: JwksCache;
  callbackKey: KeyObject;
  /** @returns whether a single-use URL was not used by another webhook. */
  consumeCallback: (callback: CallbackToken, webhookId: string) => Promise<boolean>;
  /** Resolves when the event is durable. @throws SluiceError `unavailable` */
  makeDurable: (event: QueuedEvent) => Promise<void>;
  /** Told of every request when it is answered. */
  onAnswered: (request: IngressRequest) => void;
  bodies: BodyReader;
  maxBodyBytes: number;
  log: Logger;
}

export function createIngress(dependencies: IngressDependencies): Hono<IngressEnv> {
  const { log, onAnswered } = dependencies;
  const app = new Hono<IngressEnv>();
  const receive = async (c: IngressContext): Promise<Response> => {
    const request: IngressRequest = {
      startedAt: performance.now(),
      sourceName: c.req.param("source") ?? "",
      remoteAddress: c.env.incoming.socket.remoteAddress,
      webhookId: undefined,
      sizeBytes: undefined,
      status: 200,
    };
    let response: Response;
    try {
      // Two steps, so that what it took to admit the event is not in memory while it waits for its store.
      const event = await admit(c, request, dependencies);
      await dependencies.makeDurable(event);
      response = c.json({ status: "received", webhook_id: request.webhookId });
    } catch (error) {
      const known =
        error instanceof SluiceError ? error : new SluiceError("internal", "The relay failed", { cause: error });
      request.status = known.status;
      request.code = known.code;
      // While a store is away this is every request; each has its own line besides.
      if (known.status === 503) sparing(log).warn({ err: error }, "ingress unavailable");
      else if (known.status >= 500) log.error({ err: error }, "ingress failed");
      response = problem(c, known, known.code === "verification_failed" ? { reason: request.refusal?.reason } : {});
    } finally {
      onAnswered(request);
    }
    return lingerOverUnread(c.env, response);
  };
  // One handler for each path, and no middleware: of one, Hono takes the answer as it is. Of several it makes a chain for
  // each request, which stays in memory while the event waits for its store.
  app.all("/in/:source/:token?", (c) => {
    if (c.req.method === "POST") return receive(c);
    c.header("allow", "POST");
    return answer(c, new SluiceError("method_not_allowed", "Webhooks are sent with POST"));
  });
  app.all("/healthz", (c) => lingerOverUnread(c.env, toResponse(c, answerLiveness(c.req.method))));
  app.notFound((c) => answer(c, new SluiceError("not_found", "This port serves POST /in/{source} and GET /healthz")));
  app.onError((error, c) => {
    log.error({ err: error }, "ingress failed");
    return answer(c, new SluiceError("internal", "The relay failed"));
  });
  return app;
}

/** @returns the event of a request that is what it says, and that nobody else has. @throws SluiceError */
async function admit(
  c: IngressContext,
  request: IngressRequest,
  dependencies: IngressDependencies,
): Promise<QueuedEvent> {
  const { maxBodyBytes, sources } = dependencies;
  // Node's own, which are read already: Hono would make a Headers of them first, a copy for each request.
  const { headers: received } = c.env.incoming;
  const contentLength = received["content-length"];
  const { sourceName } = request;
  let source = sources.find(sourceName);
  request.source = source;
  if (announcesTooMuch(contentLength, maxBodyBytes)) {
    request.sizeBytes = Number(contentLength);
    throw answerRefusal(request, "too_large", tooLarge(maxBodyBytes));
  }
  source ??= await sources.findNewer(sourceName, undefined);
  request.source = source;
  if (source === undefined) throw new SluiceError("unknown_source", NO_SOURCE);

  const nowMs = Date.now();
  const headers = webhookHeaders(received);
  request.webhookId = headers.webhookId?.slice(0, 256);
  const token = c.req.param("token");
  let access = judgeAccess(source, token, dependencies.callbackKey, nowMs);
  if (access.kind === "refused" && access.reason === "unknown_token") {
    source = (await sources.findNewer(sourceName, source)) ?? source;
    access = judgeAccess(source, token, dependencies.callbackKey, nowMs);
  }
  if (access.kind === "refused") throw answerRefusal(request, access.reason, access.detail);

  // Before the body: what is not worth reading takes no memory.
  const plausible = judgeHeaders(headers, source, nowMs);
  if (plausible.kind === "refused") throw answerRefusal(request, plausible.reason, plausible.detail);

  const read = await dependencies.bodies.read(c.env.incoming, c.env.outgoing);
  if (read.kind === "too_large") throw answerRefusal(request, "too_large", tooLarge(maxBodyBytes));
  if (read.kind === "interrupted")
    throw answerRefusal(request, "body_interrupted", "The body ended before it was complete");
  if (read.kind === "crowded_out") {
    c.header("connection", "close");
    throw new SluiceError("unavailable", "Too many bodies are being read", { retryAfterSeconds: RETRY_AFTER_SECONDS });
  }
  request.sizeBytes = read.body.length;

  let verdict;
  try {
    const judging = judge(plausible, read.body, source, dependencies.keySets, sources);
    verdict = judging instanceof Promise ? await judging : judging;
  } finally {
    // What is judged is counted by the batcher.
    dependencies.bodies.release(read);
  }
  if (verdict.kind === "undecidable") {
    throw new SluiceError("unavailable", "The keys to verify with could not be had yet", { retryAfterSeconds: 10 });
  }
  if (verdict.kind === "refused") throw answerRefusal(request, verdict.reason, verdict.detail);
  const { webhookId, scheme, body, userMetadata, bodyUnbound } = verdict;
  request.webhookId = webhookId;

  const { callback } = access;
  if (callback?.singleUse === true && !(await dependencies.consumeCallback(callback, webhookId))) {
    throw answerRefusal(request, "consumed_token", "The callback URL was used by another webhook");
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
  if (callback !== undefined) event.labels = callback.labels;
  if (userMetadata !== undefined) event.userMetadata = userMetadata;
  if (bodyUnbound) event.bodyUnbound = true;
  return event;
}

const answer = (c: IngressContext, error: SluiceError) => lingerOverUnread(c.env, problem(c, error));

/** The reasons that are answered with a code of their own. */
const CODE_OF_REASON: Partial<Record<RefusalReason, ErrorCode>> = {
  too_large: "payload_too_large",
  body_interrupted: "body_interrupted",
  // As if there were no source: who guesses learns nothing.
  missing_token: "unknown_source",
  unknown_token: "unknown_source",
};

/** Node joins what comes several times, and of a few, such as `content-type`, keeps the first. */
const single = (header: string | string[] | undefined) => (Array.isArray(header) ? header.join(", ") : header);

const webhookHeaders = (received: IncomingHttpHeaders): ReceivedHeaders => ({
  webhookId: single(received["webhook-id"]),
  timestamp: single(received["webhook-timestamp"]),
  signature: single(received["webhook-signature"]),
});

const tooLarge = (maxBodyBytes: number) => `The body is above the limit of ${maxBodyBytes} bytes`;

function answerRefusal(request: IngressRequest, reason: RefusalReason, detail: string): SluiceError {
  request.refusal = { reason, detail };
  const code = CODE_OF_REASON[reason] ?? "verification_failed";
  return new SluiceError(code, code === "unknown_source" ? NO_SOURCE : detail);
}
