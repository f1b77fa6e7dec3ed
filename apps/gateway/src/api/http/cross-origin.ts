// Lets web pages of the origins in CORS_ORIGINS call the API, and no others. A page still needs an API key.

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
  "sluice-force",
  "x-request-id",
];
const ANSWER_HEADERS = ["allow", "etag", "idempotency-replayed", "location", "retry-after", "x-request-id"];
/** How long a browser keeps the answer to a preflight. */
const MAX_AGE_SECONDS = 600;

/** MUST run before authentication: a preflight has no key, and a page must be able to read a 401 as well. */
export function allowOrigins(origins: readonly string[]): MiddlewareHandler {
  const answer = cors({
    origin: (origin) => (origins.includes(origin) ? origin : null),
    allowMethods: ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
    allowHeaders: REQUEST_HEADERS,
    exposeHeaders: ANSWER_HEADERS,
    maxAge: MAX_AGE_SECONDS,
  });
  return async (c, next) => {
    const origin = c.req.header("origin");
    if (origin !== undefined && origins.includes(origin)) {
      const isPreflight = c.req.header("access-control-request-method") !== undefined;
      // Hono's middleware would answer every OPTIONS request as a preflight.
      if (c.req.method !== "OPTIONS" || isPreflight) return answer(c, next);
    }
    await next();
    c.header("vary", "Origin", { append: true });
  };
}
