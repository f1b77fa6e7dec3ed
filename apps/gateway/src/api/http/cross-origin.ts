// Pages of other origins: none may call the API, but for those of CORS_ORIGINS. A page still needs a key.

import type { MiddlewareHandler } from "hono";
import { cors } from "hono/cors";

const REQUEST_HEADERS = [
  "authorization",
  "x-goog-api-key",
  "content-type",
  "idempotency-key",
  "if-match",
  "if-none-match",
  "last-event-id",
  "x-request-id",
];
const ANSWER_HEADERS = ["allow", "etag", "idempotency-replayed", "location", "retry-after", "x-request-id"];
/** In which a browser does not ask again. */
const MAX_AGE_SECONDS = 600;

/** MUST stand before authentication: a preflight has no key, and a refusal has to be readable too. */
export function allowOrigins(origins: readonly string[]): MiddlewareHandler {
  const answer = cors({
    origin: (origin) => (origins.includes(origin) ? origin : null),
    allowMethods: ["GET", "HEAD", "POST", "PATCH", "DELETE"],
    allowHeaders: REQUEST_HEADERS,
    exposeHeaders: ANSWER_HEADERS,
    maxAge: MAX_AGE_SECONDS,
  });
  return async (c, next) => {
    const origin = c.req.header("origin");
    if (origin !== undefined && origins.includes(origin)) {
      const isPreflight = c.req.header("access-control-request-method") !== undefined;
      // Hono takes every OPTIONS for a preflight.
      if (c.req.method !== "OPTIONS" || isPreflight) return answer(c, next);
    }
    await next();
    c.header("vary", "Origin", { append: true });
  };
}
