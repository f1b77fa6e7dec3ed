// The routes for liveness and readiness on the ports of the gateway.

import { type Context, Hono } from "hono";

import { answerLiveness, type HealthAnswer, type Readiness } from "@sluice/shared/runtime/health";

export function createHealth(readiness: Readiness): Hono {
  const app = new Hono();
  app.all("/healthz", (c) => toResponse(c, answerLiveness(c.req.method)));
  app.all("/readyz", async (c) => toResponse(c, await readiness.answer(c.req.method)));
  return app;
}

export function toResponse(c: Context, { status, headers, body }: HealthAnswer): Response {
  return c.body(body, status, headers);
}
