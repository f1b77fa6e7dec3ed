// A POST whose body may be left out is read as if it had sent an empty object.

import type { MiddlewareHandler } from "hono";

/**
 * For an endpoint whose body may be left out, with a content type or without. Not by `required: false`: a body of
 * another content type would then count as none.
 */
export const takeEmptyBody: MiddlewareHandler = async (c, next) => {
  // A request with neither of these has no body (RFC 9112, 6.3), although that of a POST is a stream here.
  const { "content-length": length = "0", "transfer-encoding": coding } = c.req.header();
  if (c.req.raw.body === null || (length === "0" && coding === undefined)) {
    const headers = { "content-type": "application/json" };
    c.req.raw = new Request(c.req.url, { method: c.req.method, headers, body: "{}" });
  }
  await next();
};
