// Endpoints whose path ends in a custom verb, such as `POST /v1/deliveries/{id}:retry`.

import type { OpenAPIHono, RouteConfig } from "@hono/zod-openapi";

import type { ApiEnv } from "../http/api-env.ts";
import { routedPath } from "../http/custom-verb.ts";
import { takeEmptyBody } from "../http/empty-body.ts";

/**
 * An endpoint whose path ends in a verb, documented under it and ready to be routed. Its body may be left out unless it
 * is required.
 */
export function verbEndpoint<R extends RouteConfig>(app: OpenAPIHono<ApiEnv>, endpoint: R) {
  app.openAPIRegistry.registerPath(endpoint);
  const middleware = endpoint.request?.body?.required === true ? [] : [takeEmptyBody];
  return { ...endpoint, path: routedPath(endpoint.path), hide: true, middleware };
}
