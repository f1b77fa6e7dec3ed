// The worker's port, on loopback alone: liveness and readiness for a container's check, and the echo target that
// `npm run demo` delivers to.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";

import { closeServer, listen } from "@sluice/shared/http-server";
import type { Logger } from "@sluice/shared/log";

const STOP_LIMIT_MS = 1_000;

export interface HealthServer {
  url: string;
  close: () => Promise<void>;
}

export async function startHealthServer(
  port: number,
  checks: Record<string, () => Promise<boolean>>,
  log: Logger,
): Promise<HealthServer> {
  const server = createServer((request, response) => {
    handle(request, response, checks).catch((error: unknown) => {
      log.warn({ err: error }, "health request failed");
      response.destroy();
    });
  });
  const url = await listen(server, { host: "127.0.0.1", port }, "WORKER_PORT");
  return { url, close: () => closeServer(server, STOP_LIMIT_MS) };
}

async function handle(
  request: IncomingMessage,
  response: ServerResponse,
  checks: Record<string, () => Promise<boolean>>,
): Promise<void> {
  const answer = (status: number, document: object) =>
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(document));
  switch (`${request.method} ${request.url}`) {
    case "GET /healthz":
      answer(200, { status: "ok" });
      return;
    case "GET /readyz": {
      const results = await Promise.all(
        Object.entries(checks).map(async ([name, check]) => [name, await check()] as const),
      );
      const ready = results.every(([, answers]) => answers);
      answer(ready ? 200 : 503, { status: ready ? "ready" : "not_ready", checks: Object.fromEntries(results) });
      return;
    }
    case "POST /echo": {
      let bytes = 0;
      for await (const chunk of request as AsyncIterable<Buffer>) bytes += chunk.length;
      answer(200, { echo: true, webhook_id: request.headers["webhook-id"] ?? null, bytes });
      return;
    }
    default:
      answer(404, { status: "not_found" });
  }
}
