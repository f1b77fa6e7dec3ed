// An HTTP server of the gateway: its limits of time, size and number, and an answer with a code to what never becomes
// a request.

import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";

import { getRequestListener, RequestError } from "@hono/node-server";
import { type ErrorCode, SluiceError } from "@sluice/shared/runtime/errors";
import type { Logger } from "@sluice/shared/runtime/log";
import { PROBLEM_MEDIA_TYPE, problemDocument } from "@sluice/shared/runtime/problem-document";

import { limitConnections, Pipelines } from "./connections.ts";

/** Of all headers of a request together, and of each line of its chunked body. */
const MAX_HEADER_BYTES = 16 * 1024;
/** Gemini sends some ten, and each proxy on the way adds a few. */
const MAX_HEADERS = 100;
/** Senders that wait for an answer before the next request, as nearly all do, never have more than one. */
const MAX_PIPELINED_REQUESTS = 32;
const RETRY_AFTER_SECONDS = 1;

/** Times are in milliseconds, as `http.createServer` takes them. */
interface Limits {
  headersTimeout: number;
  requestTimeout: number;
  keepAliveTimeout: number;
  connectionsCheckingInterval: number;
  maxConnections: number;
}

const LIMITS: Limits = {
  headersTimeout: 10_000,
  // Of the whole request: a body that trickles ends with it.
  requestTimeout: 30_000,
  // Longer than the idle time of common balancers (60 s), so that the balancer closes first.
  keepAliveTimeout: 65_000,
  // Node's default is 30 s, by which each of the limits could be exceeded.
  connectionsCheckingInterval: 2_000,
  // With 16 KiB of unfinished headers in each it is some 100 MiB.
  maxConnections: 4_096,
};

export interface OpenServer {
  server: Server;
  /** From now on every answer ends its connection, those of requests under way too. */
  endConnections: () => void;
}

export interface ServerOptions {
  /** The application answers `Expect: 100-continue` itself: with writeContinue, or with a refusal. */
  answersContinue?: boolean;
  limits?: Partial<Limits>;
}

export function openServer(
  fetch: Parameters<typeof getRequestListener>[0],
  log: Logger,
  { answersContinue = false, limits = {} }: ServerOptions = {},
): OpenServer {
  const { maxConnections, ...times } = { ...LIMITS, ...limits };
  const pipelines = new Pipelines(MAX_PIPELINED_REQUESTS);
  let isEnding = false;
  const listener = getRequestListener(fetch, { errorHandler: (error) => answerError(error, log) });
  const handle = (request: IncomingMessage, response: ServerResponse) => {
    const refusal = refuseHeaders(request) ?? judgePipeline(pipelines.enter(request.socket, response));
    if (refusal !== undefined) {
      refuseRequest(response, refusal, log);
      return;
    }
    if (isEnding) response.shouldKeepAlive = false;
    void listener(request, response);
  };
  // Without a Host, Node answers by itself and without a word; the listener refuses it too.
  const server = createServer({ ...times, maxHeaderSize: MAX_HEADER_BYTES, requireHostHeader: false }, handle);
  // Node leaves out what is above a maximum of its own, without a word.
  server.maxHeadersCount = 0;
  limitConnections(server, maxConnections, log);
  // Node's own answer is a 417 without a word. Any other expectation may be ignored (RFC 9110, 10.1.1).
  server.on("checkExpectation", handle);
  if (answersContinue) server.on("checkContinue", handle);
  server.on("clientError", (error, socket) => refuseConnection(error, socket, pipelines.latestOn(socket), log));
  return {
    server,
    endConnections: () => {
      isEnding = true;
      for (const response of pipelines.latest()) if (!response.headersSent) response.shouldKeepAlive = false;
    },
  };
}

function refuseHeaders({ rawHeaders }: IncomingMessage): SluiceError | undefined {
  if (rawHeaders.length / 2 <= MAX_HEADERS) return undefined;
  return new SluiceError("headers_too_large", `There are more than ${MAX_HEADERS} headers`);
}

function judgePipeline(hasRoom: boolean): SluiceError | undefined {
  if (hasRoom) return undefined;
  const detail = `More than ${MAX_PIPELINED_REQUESTS} requests wait on this connection`;
  return new SluiceError("unavailable", detail, { retryAfterSeconds: RETRY_AFTER_SECONDS });
}

/** Before anything of the request was looked at. Ends the connection. */
function refuseRequest(response: ServerResponse, error: SluiceError, log: Logger): void {
  log.info({ status: error.status, code: error.code }, "no request");
  const body = JSON.stringify(problemDocument(error));
  if (error.retryAfterSeconds !== undefined) response.setHeader("retry-after", error.retryAfterSeconds);
  response
    .writeHead(error.status, {
      connection: "close",
      "content-type": PROBLEM_MEDIA_TYPE,
      "content-length": Buffer.byteLength(body),
    })
    .end(body);
}

/** What the application did not get, because it has no URL; or a fault of the application itself. */
function answerError(error: unknown, log: Logger): Response {
  const known =
    error instanceof RequestError
      ? new SluiceError("invalid_request", `The request cannot be read: ${error.message}`)
      : new SluiceError("internal", "The relay failed");
  if (known.code === "internal") log.error({ err: error }, "request failed");
  return new Response(JSON.stringify(problemDocument(known)), {
    status: known.status,
    headers: { "content-type": PROBLEM_MEDIA_TYPE },
  });
}

/** https://nodejs.org/api/http.html#event-clienterror, and its errors' codes. */
const CODES: Record<string, [ErrorCode, string]> = {
  ERR_HTTP_REQUEST_TIMEOUT: ["request_timeout", "The request was not complete in time"],
  HPE_HEADER_OVERFLOW: ["headers_too_large", `The headers are above ${MAX_HEADER_BYTES / 1024} KiB`],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: ["payload_too_large", "The chunk extensions are too large"],
};

function refuseConnection(
  error: NodeJS.ErrnoException,
  socket: Duplex,
  underWay: ServerResponse | undefined,
  log: Logger,
): void {
  // A connection that was reset has nobody to answer; a second status line would corrupt an answer under way.
  if (!socket.writable || error.code === "ECONNRESET" || underWay?.headersSent === true) {
    socket.destroy();
    return;
  }
  const [code, detail]: [ErrorCode, string] =
    CODES[error.code ?? ""] ??
    (underWay === undefined
      ? ["invalid_request", "This is not an HTTP request"]
      : ["body_interrupted", "The body is not complete, or not framed as HTTP says"]);
  const known = new SluiceError(code, detail);
  const body = JSON.stringify(problemDocument(known));
  log.info({ status: known.status, code, error: error.code }, "no request");
  socket.end(
    `HTTP/1.1 ${known.status} ${STATUS_CODES[known.status]}\r\nconnection: close\r\n` +
      `content-type: ${PROBLEM_MEDIA_TYPE}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}
