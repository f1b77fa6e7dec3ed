// Gives every request an id and one line in the log, and keeps its answer out of caches. The line never has a body or a
// key.

import type { MiddlewareHandler } from "hono";
import { routePath } from "hono/route";

import { formatId, newId } from "@sluice/shared/domain/ids";
import type { Logger } from "@sluice/shared/runtime/log";

import type { FindClientAddress } from "../../http/client-address.ts";
import type { ApiEnv, Caller } from "./api-env.ts";
import { publicPath } from "./custom-verb.ts";

/** The id that a caller sends is used if it is safe to write into a log and a header. */
const REQUEST_ID = /^[\x21-\x7e]{1,128}$/;

export interface RequestLogDependencies {
  findClientAddress: FindClientAddress;
  log: Logger;
}

export function logRequests({ findClientAddress, log }: RequestLogDependencies): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const startedMs = performance.now();
    const given = c.req.header("x-request-id");
    const requestId = given !== undefined && REQUEST_ID.test(given) ? given : newId();
    c.set("requestId", requestId);
    const incoming = c.env?.incoming;
    c.set("remoteAddress", incoming && findClientAddress(incoming));
    c.header("x-request-id", requestId);
    c.header("cache-control", "no-store");
    await next();
    const line = {
      request_id: requestId,
      method: c.req.method,
      // The path of the last route that matched. A path without an endpoint shows that of this middleware, `/*`.
      route: publicPath(routePath(c, -1)),
      status: c.res.status,
      key: showCaller(c.get("caller")),
      remote_address: c.get("remoteAddress"),
      duration_ms: Math.round((performance.now() - startedMs) * 1000) / 1000,
    };
    if (c.res.status >= 500) log.error({ ...line, err: c.error }, "api request");
    else log.info(line, "api request");
  };
}

function showCaller(caller: Caller | undefined): string | undefined {
  if (caller === undefined) return undefined;
  if (caller.identity !== undefined) return caller.identity;
  return caller.keyId === null ? "environment" : formatId("key", caller.keyId);
}
