// GET /metrics: the metrics of this gateway for Prometheus, which sends its key as a bearer token. The path is not under
// /v1 because Prometheus reads /metrics by default.

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";

import type { Metrics } from "../metrics.ts";
import { problemResponse } from "./http/answer-problem.ts";
import type { ApiEnv } from "./http/api-env.ts";
import { noParameters } from "./openapi/endpoint.ts";

export interface MetricsDependencies {
  metrics: Metrics;
}

const read = createRoute({
  method: "get",
  path: "/metrics",
  tags: ["metrics"],
  summary: "Read the metrics of this gateway",
  description: "The text format of Prometheus. Each gateway and each worker has metrics of its own.",
  request: { query: noParameters },
  responses: {
    200: { description: "The metrics", content: { "text/plain": { schema: z.string() } } },
    default: problemResponse,
  },
});

export function routeMetrics(app: OpenAPIHono<ApiEnv>, { metrics }: MetricsDependencies): void {
  app.openapi(read, async (c) => {
    const { contentType, text } = await metrics.render();
    return c.text(text, 200, { "content-type": contentType });
  });
}
