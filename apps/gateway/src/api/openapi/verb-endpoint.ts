// Endpoints whose path ends in a custom verb, such as `POST /v1/deliveries/{id}:retry`. The document has this path;
// Hono routes the endpoint by another one (see custom-verb.ts).

import type { OpenAPIHono, RouteConfig } from "@hono/zod-openapi";

import type { ApiEnv } from "../http/api-env.ts";
import { routedPath } from "../http/custom-verb.ts";
import { takeEmptyBody } from "../http/empty-body.ts";

/**
 * Documents an endpoint under its public path. @returns the endpoint to pass to `app.openapi()`. Its callers may leave
 * out the body, unless the description of the endpoint requires it.
 */
export function verbEndpoint<R extends RouteConfig>(app: OpenAPIHono<ApiEnv>, endpoint: R) {
  app.openAPIRegistry.registerPath(endpoint);
  const middleware = endpoint.request?.body?.required === true ? [] : [takeEmptyBody];
  return { ...endpoint, path: routedPath(endpoint.path), hide: true, middleware };
}
