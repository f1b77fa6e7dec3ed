// The worker's port, on loopback alone: liveness and readiness for a container's check, and the echo target that
// `npm run demo` delivers to.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";

import { answerLiveness, type Check, type HealthAnswer, Readiness } from "@sluice/shared/runtime/health";
import { closeServer, listen } from "@sluice/shared/runtime/http-server";
import type { Logger } from "@sluice/shared/runtime/log";

const STOP_LIMIT_MS = 1_000;

export interface HealthServer {
  url: string;
  close: () => Promise<void>;
}

export async function startHealthServer(
  port: number,
  checks: Record<string, Check>,
  log: Logger,
): Promise<HealthServer> {
  const readiness = new Readiness(checks);
  const server = createServer((request, response) => {
    handle(request, response, readiness).catch((error: unknown) => {
      log.warn({ err: error }, "health request failed");
      response.destroy();
    });
  });
  const url = await listen(server, { host: "127.0.0.1", port }, "WORKER_PORT");
  return { url, close: () => closeServer(server, STOP_LIMIT_MS) };
}

async function handle(request: IncomingMessage, response: ServerResponse, readiness: Readiness): Promise<void> {
  const { method = "GET", url } = request;
  const send = ({ status, headers, body }: HealthAnswer) => response.writeHead(status, headers).end(body);
  if (url === "/healthz") {
    send(answerLiveness(method));
    return;
  }
  if (url === "/readyz") {
    send(await readiness.answer(method));
    return;
  }
  const answer = (status: number, document: object) =>
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(document));
  if (`${method} ${url}` !== "POST /echo") {
    answer(404, { status: "not_found" });
    return;
  }
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) bytes += chunk.length;
  answer(200, { echo: true, webhook_id: request.headers["webhook-id"] ?? null, bytes });
}
