// Some endpoints let a POST leave out its body. Such a request is handled as if its body were `{}`.

import type { HonoRequest, MiddlewareHandler } from "hono";

/** Whether the headers announce a body: a request without these two headers has none (RFC 9112, 6.3). */
export function announcesBody(request: HonoRequest): boolean {
  const { "content-length": length = "0", "transfer-encoding": coding } = request.header();
  return length !== "0" || coding !== undefined;
}

/**
 * The middleware of an endpoint whose body may be left out. `required: false` in the endpoint's description is no
 * substitute: with it, a body of another content type would be ignored instead of refused.
 */
export const takeEmptyBody: MiddlewareHandler = async (c, next) => {
  // The server gives every POST a body stream, even when nothing was sent, so the headers are checked as well.
  if (c.req.raw.body === null || !announcesBody(c.req)) {
    const headers = { "content-type": "application/json" };
    c.req.raw = new Request(c.req.url, { method: c.req.method, headers, body: "{}" });
  }
  await next();
};
