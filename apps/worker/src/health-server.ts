// The worker's port answers liveness, readiness and metrics, for the check of a container and for Prometheus. None needs a
// key, and none says more than counts, names of targets and what is wrong. It is on loopback unless WORKER_HOST says else.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";

import { answerLiveness, type Check, type HealthAnswer, Readiness } from "@sluice/shared/runtime/health";
import { closeServer, listen } from "@sluice/shared/runtime/http-server";
import type { Logger } from "@sluice/shared/runtime/log";

import type { WorkerMetrics } from "./metrics.ts";

const STOP_LIMIT_MS = 1_000;

export interface HealthServer {
  url: string;
  /** What this worker lacks now. */
  findProblems: Readiness["findProblems"];
  close: () => Promise<void>;
}

export async function startHealthServer(
  address: { host: string; port: number },
  checks: Record<string, Check>,
  metrics: Pick<WorkerMetrics, "render">,
  log: Logger,
): Promise<HealthServer> {
  const readiness = new Readiness(checks);
  const server = createServer((request, response) => {
    handle(request, response, readiness, metrics).catch((error: unknown) => {
      log.warn({ err: error }, "health request failed");
      response.destroy();
    });
  });
  const url = await listen(server, address, "WORKER_PORT");
  return { url, findProblems: () => readiness.findProblems(), close: () => closeServer(server, STOP_LIMIT_MS) };
}

async function handle(
  request: IncomingMessage,
  response: ServerResponse,
  readiness: Readiness,
  metrics: Pick<WorkerMetrics, "render">,
): Promise<void> {
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
  if (url === "/metrics") {
    const { contentType, text } = await metrics.render();
    response.writeHead(200, { "content-type": contentType }).end(method === "HEAD" ? undefined : text);
    return;
  }
  response.writeHead(404, { "content-type": "application/json" }).end(JSON.stringify({ status: "not_found" }));
}
