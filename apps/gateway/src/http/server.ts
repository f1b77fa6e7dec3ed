// Opens an HTTP server of the gateway with limits of time, size and number. A request that the server cannot read gets an
// answer with a code too.

import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";

import { getRequestListener, RequestError } from "@hono/node-server";

import { newId } from "@sluice/shared/domain/ids";
import { type ErrorCode, SluiceError } from "@sluice/shared/runtime/errors";
import type { Logger } from "@sluice/shared/runtime/log";
import { PROBLEM_MEDIA_TYPE, problemDocument } from "@sluice/shared/runtime/problem-document";

import { Connections } from "./connections.ts";

/** The limit of all headers of a request together, and of each line of a chunked body. */
const MAX_HEADER_BYTES = 16 * 1024;
/** Gemini sends about ten, and each proxy on the way adds a few. */
const MAX_HEADERS = 100;
/** Nearly all senders wait for an answer before the next request, so they never have more than one. */
const MAX_PIPELINED_REQUESTS = 32;
const RETRY_AFTER_SECONDS = 1;
/** Stands in for the Host that a request of HTTP/1.0 need not have. A browser sends no such request, and the console takes it. */
const ANY_HOST = "localhost";
/** No browser may take an answer for another type than it says. */
const NO_SNIFFING = ["x-content-type-options", "nosniff"] as const;
const REQUEST_ID = "x-request-id";

/** Times are in milliseconds, as `http.createServer` takes them. */
interface ServerLimits {
  headersTimeout: number;
  requestTimeout: number;
  keepAliveTimeout: number;
  connectionsCheckingInterval: number;
  maxConnections: number;
  maxPerNetwork: number;
}

const LIMITS: ServerLimits = {
  headersTimeout: 10_000,
  // For the whole request, so that a body that arrives too slowly ends here.
  requestTimeout: 30_000,
  // Longer than the idle time of common balancers (60 s, and 600 s at Google). If the server closed first, a balancer could
  // send a request on a connection that is closing.
  keepAliveTimeout: 620_000,
  // A request can exceed the limits above by this time. Node's default is 30 s.
  connectionsCheckingInterval: 2_000,
  // With 16 KiB of unfinished headers each, they take about 100 MiB.
  maxConnections: 4_096,
  maxPerNetwork: Number.POSITIVE_INFINITY,
};

export interface OpenServer {
  server: Server;
  /** From now on every answer closes its connection, including the answers under way. */
  endConnections: () => void;
}

export interface ServerOptions {
  /** Set when the application itself answers `Expect: 100-continue`, with writeContinue or with a refusal. */
  answersContinue?: boolean;
  limits?: Partial<ServerLimits>;
}

export function openServer(
  fetch: Parameters<typeof getRequestListener>[0],
  log: Logger,
  { answersContinue = false, limits = {} }: ServerOptions = {},
): OpenServer {
  const { maxConnections, maxPerNetwork, ...times } = { ...LIMITS, ...limits };
  let isEnding = false;
  const listener = getRequestListener(fetch, { errorHandler: (error) => answerListenerError(error, log) });
  const handle = (request: IncomingMessage, response: ServerResponse) => {
    response.setHeader(...NO_SNIFFING);
    // HTTP/1.0 has no Host, and some balancers check the health of a server with it.
    if (request.httpVersion === "1.0") request.headers.host ??= ANY_HOST;
    const error = judgeHeaderCount(request) ?? judgePipeline(connections.enter(request.socket, response));
    if (error !== undefined) {
      refuseRequest(response, error, log);
      return;
    }
    if (isEnding) response.shouldKeepAlive = false;
    void listener(request, response);
  };
  // requireHostHeader: false, because Node's own answer to a request without Host has no body. The listener refuses such a
  // request too, with a body.
  const server = createServer({ ...times, maxHeaderSize: MAX_HEADER_BYTES, requireHostHeader: false }, handle);
  // No maximum in Node, which would silently drop the headers above it. judgeHeaderCount refuses them.
  server.maxHeadersCount = 0;
  const limitsOfConnections = { max: maxConnections, maxPerNetwork, maxPipelined: MAX_PIPELINED_REQUESTS };
  const connections = new Connections(server, limitsOfConnections, log);
  // Node's own answer to an unknown expectation is a 417 without a body. RFC 9110, 10.1.1 allows to ignore it instead.
  server.on("checkExpectation", handle);
  if (answersContinue) server.on("checkContinue", handle);
  server.on("clientError", (error, socket) => {
    refuseConnection(error, socket, connections.latestOn(socket as Socket), log);
  });
  return {
    server,
    endConnections: () => {
      isEnding = true;
      for (const response of connections.latestOnAll()) if (!response.headersSent) response.shouldKeepAlive = false;
    },
  };
}

function judgeHeaderCount({ rawHeaders }: IncomingMessage): SluiceError | undefined {
  if (rawHeaders.length / 2 <= MAX_HEADERS) return undefined;
  return new SluiceError("headers_too_large", `The request has more than ${MAX_HEADERS} headers`);
}

function judgePipeline(hasRoom: boolean): SluiceError | undefined {
  if (hasRoom) return undefined;
  const detail = `More than ${MAX_PIPELINED_REQUESTS} requests wait on this connection`;
  return new SluiceError("unavailable", detail, { retryAfterSeconds: RETRY_AFTER_SECONDS });
}

/** The body of an answer to what the application never sees, and the id under which the log has it. */
function describeRefusal(error: SluiceError): { requestId: string; body: string } {
  const requestId = newId();
  return { requestId, body: JSON.stringify(problemDocument(error, { request_id: requestId })) };
}

/** Answers a request that the application never sees, and closes the connection. */
function refuseRequest(response: ServerResponse, error: SluiceError, log: Logger): void {
  const { requestId, body } = describeRefusal(error);
  log.info({ request_id: requestId, status: error.status, code: error.code }, "no request");
  if (error.retryAfterSeconds !== undefined) response.setHeader("retry-after", error.retryAfterSeconds);
  response
    .writeHead(error.status, {
      connection: "close",
      [REQUEST_ID]: requestId,
      "content-type": PROBLEM_MEDIA_TYPE,
      "content-length": Buffer.byteLength(body),
    })
    .end(body);
}

/** Answers a request whose URL cannot be read, and a fault of the application itself. */
function answerListenerError(error: unknown, log: Logger): Response {
  const known =
    error instanceof RequestError
      ? new SluiceError("invalid_request", `The request cannot be read: ${error.message}`)
      : new SluiceError("internal", "The relay failed");
  const { requestId, body } = describeRefusal(known);
  if (known.code === "internal") log.error({ request_id: requestId, err: error }, "request failed");
  else log.info({ request_id: requestId, status: known.status, code: known.code }, "no request");
  return new Response(body, {
    status: known.status,
    headers: { [REQUEST_ID]: requestId, "content-type": PROBLEM_MEDIA_TYPE },
  });
}

/** The answers by the code of Node's error: https://nodejs.org/api/http.html#event-clienterror */
const CLIENT_ERRORS: Record<string, [ErrorCode, string]> = {
  ERR_HTTP_REQUEST_TIMEOUT: ["request_timeout", "The request was not complete in time"],
  HPE_HEADER_OVERFLOW: ["headers_too_large", `The headers are above ${MAX_HEADER_BYTES / 1024} KiB`],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: ["payload_too_large", "The chunk extensions are too large"],
};

/** Answers data that is not a request, or the rest of a body that cannot be read, and closes the connection. */
function refuseConnection(
  error: NodeJS.ErrnoException,
  socket: Duplex,
  underWay: ServerResponse | undefined,
  log: Logger,
): void {
  // Nobody reads an answer on a connection that was reset.
  if (!socket.writable || error.code === "ECONNRESET") {
    socket.destroy();
    return;
  }
  // What follows a whole request does not change its answer, which ends the connection.
  if (underWay?.req.complete === true) {
    if (!underWay.headersSent) underWay.shouldKeepAlive = false;
    underWay.once("close", () => socket.destroy());
    return;
  }
  // A second status line would corrupt an answer under way.
  if (underWay?.headersSent === true) {
    socket.destroy();
    return;
  }
  const [code, detail]: [ErrorCode, string] =
    CLIENT_ERRORS[error.code ?? ""] ??
    (underWay === undefined
      ? ["invalid_request", "This is not an HTTP request"]
      : ["body_interrupted", "The body is not complete, or its chunks are not framed as HTTP demands"]);
  const known = new SluiceError(code, detail);
  const { requestId, body } = describeRefusal(known);
  log.info({ request_id: requestId, status: known.status, code, error: error.code }, "no request");
  socket.end(
    `HTTP/1.1 ${known.status} ${STATUS_CODES[known.status]}\r\nconnection: close\r\n` +
      `content-type: ${PROBLEM_MEDIA_TYPE}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n` +
      `${NO_SNIFFING.join(": ")}\r\n${REQUEST_ID}: ${requestId}\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}
