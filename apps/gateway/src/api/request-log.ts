// What every request gets: an id, an answer that no cache keeps, and one line in the log. Never a body or a key.

import type { Logger } from "@sluice/shared/log";
import { newId } from "@sluice/shared/ids";
import type { MiddlewareHandler } from "hono";
import { routePath } from "hono/route";

import { publicPath } from "./custom-verb.ts";

export interface ApiEnv {
  Variables: { requestId: string };
}

export function logRequests(log: Logger): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const startedMs = performance.now();
    const requestId = newId();
    c.set("requestId", requestId);
    c.header("x-request-id", requestId);
    c.header("cache-control", "no-store");
    await next();
    const line = {
      request_id: requestId,
      method: c.req.method,
      // Of the last match: for a refusal too, and for a path without a route that of this middleware, `/*`.
      route: publicPath(routePath(c, -1)),
      status: c.res.status,
      duration_ms: Math.round((performance.now() - startedMs) * 1000) / 1000,
    };
    if (c.res.status >= 500) log.error({ ...line, err: c.error }, "api request");
    else log.info(line, "api request");
  };
}
